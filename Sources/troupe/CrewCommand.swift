public import ArgumentParser
public import Crew

/// `troupe crew happy-end`, `troupe crew error-end` and `troupe crew fan-in`.
struct CrewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crew",
        abstract: "Serve as one of the actors that come with Troupe.",
        discussion: """
            happy-end and error-end close a route. They run beside a sidecar with TROUPE_IS_END_ACTOR=true, and keep each
            envelope, whole, as {prefix}{time}/{last actor}/{id}.json. Settings, each also read as ASYA_...:

              TROUPE_RESULTS_DIR         keep them in this folder, or
              TROUPE_S3_BUCKET           in this bucket (made when it is missing), with
              TROUPE_S3_ENDPOINT         default: Amazon's own, for the region
              TROUPE_S3_ACCESS_KEY       or AWS_ACCESS_KEY_ID
              TROUPE_S3_SECRET_KEY       or AWS_SECRET_ACCESS_KEY
              AWS_REGION                 default us-east-1
              TROUPE_S3_RESULTS_PREFIX   of happy-end, default happy-end/
              TROUPE_S3_ERRORS_PREFIX    of error-end, default error-end/

            fan-in puts the children of a fan-out together again: one envelope goes on, with the list of their
            payloads. It runs beside a sidecar like any handler's:

              TROUPE_DATABASE_URL            PostgreSQL, with the tables of gateway-schema, for any number of replicas, or
              TROUPE_FAN_IN_FILE             an SQLite file, for one
              TROUPE_FAN_IN_TIMEOUT          longest wait for missing pieces, default 30d
              TROUPE_FAN_IN_RETENTION        how long a group stays once it is decided, default 1d
              TROUPE_FAN_IN_MAX_GROUP_BYTES  default 15/16 of TROUPE_MAX_MESSAGE_BYTES

            Those of every actor hold for all of them: TROUPE_SOCKET_DIR, TROUPE_CONCURRENCY, TROUPE_LOG_LEVEL, ...

              export TROUPE_SOCKET_DIR=/run/happy-end TROUPE_RESULTS_DIR=/var/lib/results
              troupe crew happy-end
            """
    )

    @Argument(help: "happy-end keeps what went well, error-end what failed; fan-in collects.")
    var role: CrewRole

    func run() async { await runCrew(role) }
}

extension CrewRole: ExpressibleByArgument {}
