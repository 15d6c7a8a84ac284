import ArgumentParser
import Glibc

@main
struct Troupe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "troupe",
        abstract: "Durable pipelines of independent actors.",
        subcommands: [
            ActorCommand.self, CrewCommand.self, DeadLetterCommand.self, GatewayCommand.self, KeyCommand.self,
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as GatewayFailure {
            Output.note("troupe: \(failure)")
            Glibc.exit(failure.exitCode)
        } catch {
            exit(withError: error)
        }
    }
}
