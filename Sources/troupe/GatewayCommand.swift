import ArgumentParser
import Gateways
import Settings

struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Runs the gateway: submits envelopes, knows their state, streams their history.",
        discussion: """
            Configured by TROUPE_* in the environment: see docs/settings.md. Ends
            cleanly on SIGTERM and SIGINT.

              export TROUPE_DATABASE_URL=postgresql://... TROUPE_RABBITMQ_URL=amqp://...
              troupe gateway
            """
    )

    func run() async throws {
        throw ExitCode(await GatewayProcess.run(.ofProcess()))
    }
}
