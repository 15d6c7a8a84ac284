import ArgumentParser

@main
struct Troupe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "troupe", abstract: "Durable actor pipelines over RabbitMQ.", subcommands: [GatewayCommand.self])
}
