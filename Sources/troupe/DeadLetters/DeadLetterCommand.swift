import ArgumentParser
import Envelopes
import HTTPClient

/// `troupe dlq`
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "What no actor could take: look at dead letters, send them again, or drop them.",
        discussion: """
            A message ends here, whole and with its reason, when it is no envelope,
            when it has killed its actor too often, or when an end actor could not
            close it.

              troupe dlq list --older-than 1h
              troupe dlq show summary 0190c7a4-...
              troupe dlq replay --actor summary --type delivery_limit --dry-run
              troupe dlq purge 0190c7a4-... --yes
            """,
        subcommands: [DeadLetterList.self, DeadLetterShow.self, DeadLetterReplay.self, DeadLetterPurge.self])
}

/// Which dead letters are meant.
struct DeadLetterOptions: ParsableArguments {
    @Option(help: "Only those of this actor.", completion: .actorNames)
    var actor: String?

    @Option(help: "Only those whose reason contains this: delivery_limit, rejected, an error's type, ...")
    var type: String?

    @Option(help: ArgumentHelp("Only those that are older: 30s, 5m, 1h, ...", valueName: "age"))
    var olderThan: String?

    @Option(help: ArgumentHelp("Only those that are newer.", valueName: "age"))
    var newerThan: String?

    @OptionGroup var options: OutputOptions

    var isSelective: Bool { [actor, type, olderThan, newerThan].contains { $0 != nil } }

    var members: [(String, String)] {
        [("actor", actor), ("type", type), ("older_than", olderThan), ("newer_than", newerThan)].compactMap {
            (name, value) in value.map { (name, $0) }
        }
    }
}

struct DeadLetterList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Shows which there are.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var selection: DeadLetterOptions

    @Option(help: "At most so many, 1 to 1000.")
    var limit = 100

    func run() async throws {
        let query = (selection.members + [("limit", String(limit))])
            .map { "\($0.0)=\($0.1.percentEncoded())" }.joined(separator: "&")
        let answer = try await gateway.client().send(.get, "/dead-letters?\(query)")
        DeadLetterReport(answer).show(selection.options.output, empty: "no dead letters")
    }
}

struct DeadLetterShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one, with the message as it is.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @Argument(help: "Whose dead letter it is.", completion: .actorNames) var actor: String
    @Argument(help: "The envelope's id.") var id: String

    func run() async throws {
        let answer = try await gateway.client().send(
            .get, "/dead-letters/\(actor.percentEncoded())/\(id.percentEncoded())")
        Output.line(answer.description)
    }
}

struct DeadLetterReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Sends them to their actor again: same id, same history, new attempts.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var selection: DeadLetterOptions
    @Argument(help: "Envelopes' ids.") var ids: [String] = []
    @Flag(help: "All there are.") var all = false
    @Flag(help: "Only says which it would be.") var dryRun = false

    func validate() throws { try requireSelection(ids, selection, all) }

    func run() async throws {
        try await DeadLetterAct(path: "replay", done: "sent again").run(gateway, selection, ids: ids, dryRun: dryRun)
    }
}

struct DeadLetterPurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Drops them for good.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var selection: DeadLetterOptions
    @Argument(help: "Envelopes' ids.") var ids: [String] = []
    @Flag(help: "All there are.") var all = false
    @Flag(help: "Only says which it would be.") var dryRun = false
    @Flag(help: "Without it, it is a dry run.") var yes = false

    func validate() throws { try requireSelection(ids, selection, all) }

    func run() async throws {
        try await DeadLetterAct(path: "purge", done: "dropped")
            .run(gateway, selection, ids: ids, dryRun: dryRun || !yes)
        if !yes && !dryRun { Output.note("nothing was dropped: say --yes to do it") }
    }
}

private func requireSelection(_ ids: [String], _ selection: DeadLetterOptions, _ all: Bool) throws {
    if ids.isEmpty && !selection.isSelective && !all {
        throw ValidationError("say which: ids, --actor, --type, --older-than, --newer-than, or --all")
    }
}
