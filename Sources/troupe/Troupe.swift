import ArgumentParser

@main
struct Troupe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "troupe",
        abstract: "Durable pipelines of independent actors.",
        subcommands: [CrewCommand.self, GatewayCommand.self]
    )
}
