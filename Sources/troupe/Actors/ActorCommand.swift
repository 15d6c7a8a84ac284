import ArgumentParser
import Envelopes
import HTTPClient

/// `troupe actors`
struct ActorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "actors",
        abstract: "How actors and their queues are; pauses and resumes them.",
        discussion: """
            A paused actor takes no deliveries: what is at its handler ends, all
            else waits in its queue until it is resumed.

              troupe actors
              troupe actors pause printer --reason "out of paper"
              troupe actors resume printer
            """,
        subcommands: [ActorList.self, ActorPauseCommand.self, ActorResume.self], defaultSubcommand: ActorList.self)
}

struct ActorList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows all that the gateway has heard of.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    func run() async throws {
        let answer = try await gateway.client().send(.get, "/actors")
        if options.isJSON { return Output.line(answer.description) }
        let actors = answer["actors"]?.elements ?? []
        if actors.isEmpty {
            Output.line("no actors: no sidecar has started yet")
        } else {
            for line in ActorTable(actors).lines(width: Terminal.output().columns) { Output.line(line) }
        }
        if let reason = answer["broker"]?["reason"]?.string { Output.note("the broker is away: \(reason)") }
    }
}

struct ActorPauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Lets an actor take no deliveries until it is resumed.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @Argument(help: "The actor.", completion: .actorNames) var name: String
    @Option(help: "Why, for whoever looks.") var reason: String?
    @OptionGroup var options: OutputOptions

    func run() async throws {
        let body = RawJSON(
            object: reason.map { [RawJSON.Member(name: "reason", value: RawJSON(string: $0))] } ?? [])
        let answer = try await gateway.client().send(.post, "/actors/\(name.percentEncoded())/pause", body)
        Output.line(options.isJSON ? answer.description : "\(name) is paused")
    }
}

struct ActorResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lets a paused actor take deliveries again.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @Argument(help: "The actor.", completion: .actorNames) var name: String
    @OptionGroup var options: OutputOptions

    func run() async throws {
        let answer = try await gateway.client().send(.post, "/actors/\(name.percentEncoded())/resume", .emptyObject)
        Output.line(options.isJSON ? answer.description : "\(name) is resumed")
    }
}
