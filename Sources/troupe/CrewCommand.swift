public import ArgumentParser
public import Crew

/// `troupe crew happy-end` and `troupe crew error-end`.
struct CrewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crew",
        abstract: "Serve as one of the actors that close a route.",
        discussion: """
            Runs beside a sidecar with TROUPE_IS_END_ACTOR=true, and keeps each envelope, whole, as
            {prefix}{time}/{last actor}/{id}.json. Settings, each also read as ASYA_...:

              TROUPE_RESULTS_DIR         keep them in this folder, or
              TROUPE_S3_BUCKET           in this bucket (made when it is missing), with
              TROUPE_S3_ENDPOINT         default: Amazon's own, for the region
              TROUPE_S3_ACCESS_KEY       or AWS_ACCESS_KEY_ID
              TROUPE_S3_SECRET_KEY       or AWS_SECRET_ACCESS_KEY
              AWS_REGION                 default us-east-1
              TROUPE_S3_RESULTS_PREFIX   of happy-end, default happy-end/
              TROUPE_S3_ERRORS_PREFIX    of error-end, default error-end/

            and those of every actor: TROUPE_SOCKET_DIR, TROUPE_CONCURRENCY, TROUPE_LOG_LEVEL, ...
            """
    )

    @Argument(help: "happy-end keeps what went well, error-end what failed.")
    var role: CrewRole

    func run() async { await runCrew(role) }
}

extension CrewRole: ExpressibleByArgument {}
