import ArgumentParser
import Glibc

@main
struct Troupe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "troupe",
        abstract: "Durable pipelines of independent actors.",
        subcommands: [ManualCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Projects",
                subcommands: [
                    InitCommand.self, DevCommand.self, ValidateCommand.self, RunHandlerCommand.self, DoctorCommand.self,
                ]),
            CommandGroup(name: "Work", subcommands: [ToolsCommand.self, CallCommand.self, SubmitCommand.self]),
            CommandGroup(
                name: "Envelopes",
                subcommands: [
                    WatchCommand.self, StatusCommand.self, ListCommand.self, ResultCommand.self, CancelCommand.self,
                    RetryCommand.self,
                ]),
            CommandGroup(
                name: "Operation",
                subcommands: [
                    TopCommand.self, ActorCommand.self, DeadLetterCommand.self, FaultCommand.self,
                    IncidentsCommand.self, KeyCommand.self,
                ]),
            CommandGroup(name: "Worlds", subcommands: [MissionCommand.self]),
            CommandGroup(name: "Servers", subcommands: [GatewayCommand.self, CrewCommand.self]),
        ]
    )

    static func main() async {
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            end(failure.description, failure.exit)
        } catch let error as GatewayError {
            end(error.description, error.exit)
        } catch {
            exit(withError: error)
        }
    }

    private static func end(_ message: String, _ exit: CommandExit) -> Never {
        Output.note("troupe: \(message.split(separator: "\n").map { String($0).printable }.joined(separator: "\n"))")
        Glibc.exit(exit.rawValue)
    }

    /// All that goes wrong is told in one form.
    static var _errorLabel: String { "troupe" }
}
