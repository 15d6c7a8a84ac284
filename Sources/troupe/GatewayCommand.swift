import ArgumentParser
import Gateways
import Settings

struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Runs the gateway: submits envelopes, knows their state, streams their history.",
        discussion:
            "Configured by TROUPE_* in the environment: see docs/settings.md. Ends cleanly on SIGTERM and SIGINT."
    )

    func run() async throws {
        throw ExitCode(await GatewayProcess.run(.ofProcess()))
    }
}
