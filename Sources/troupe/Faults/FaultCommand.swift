import ArgumentParser
import Envelopes
import HTTPClient

/// `troupe fault`
struct FaultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault",
        abstract: "Lets things go wrong on purpose, for a while.",
        discussion: """
            Only where gateway and sidecars are started with
            TROUPE_FAULTS_ENABLED=true, or with `troupe dev --faults`. Every effect
            stands in the envelope's history.

              troupe fault inject latency payment --delay 500ms --for 1m
              troupe fault inject error cart --probability 0.18 --match mission=m-7
              troupe fault inject bad_data catalogue --change '{"op":"null","at":"/products/*/name"}'
              troupe fault list
              troupe fault reset --actor payment
            """,
        subcommands: [FaultInject.self, FaultList.self, FaultReset.self], defaultSubcommand: FaultList.self)
}

struct FaultInject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inject", abstract: "Begins a fault; it ends by itself.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    @Argument(
        help: "latency, timeout, error, crash, cpu, memory, bad_data, drop or hang: docs/faults.md.",
        completion: .list(["latency", "timeout", "error", "crash", "cpu", "memory", "bad_data", "drop", "hang"]))
    var kind: String

    @Argument(help: "The actor; '*' for all.", completion: .actorNames) var actor: String

    @Option(name: .customLong("for"), help: ArgumentHelp("How long: 30s, 5m, ...", valueName: "time"))
    var duration = "30s"

    @Option(help: "Of each call, 0 to 1.") var probability: Double?
    @Option(help: "The amount (a delay, seconds, bytes) is multiplied with it.") var intensity: Double?
    @Option(help: "How often each replica has it strike.") var times: Int?

    @Option(
        name: .customLong("match"),
        help: ArgumentHelp("Only envelopes with this header; may be given again.", valueName: "header=value"))
    var matches: [String] = []

    @Option(help: ArgumentHelp("latency, timeout, crash: how long.", valueName: "time")) var delay: String?
    @Option(help: "error: its type.") var errorType: String?
    @Option(help: "error: its message.") var message: String?
    @Option(help: ArgumentHelp("cpu: how long to work.", valueName: "time")) var cpu: String?
    @Option(help: "cpu: with which share of a core, up to 1.") var load: Double?
    @Option(help: "memory: how many bytes.") var bytes: Int?

    @Option(
        name: .customLong("change"),
        help: ArgumentHelp("bad_data: a change of the result; may be given again.", valueName: "json"))
    var changes: [String] = []

    @Option(help: "Of its chance: the same one strikes the same way again.") var seed: Int?
    @Option(help: "Who looks after it, for `troupe fault reset --owner`.") var owner: String?
    @Option(help: "Asking again by it starts no second fault.") var id: String?

    func run() async throws {
        let answer = try await gateway.client().send(.post, "/faults", try request())
        if options.isJSON { return Output.line(answer.description) }
        let until = answer["until"]?.string.map { "\($0.prefix(19))Z" } ?? ""
        Output.line("\(answer["id"]?.string ?? "") until \(until)")
    }

    private func request() throws -> RawJSON {
        var members: [RawJSON.Member] = []
        func add(_ name: String, _ value: RawJSON?) {
            if let value { members.append(RawJSON.Member(name: name, value: value)) }
        }
        func number(_ value: Double?) -> RawJSON? { value.map { value in RawJSON { $0.append(value) } } }
        add("kind", RawJSON(string: kind))
        add("actor", RawJSON(string: actor))
        add("duration", RawJSON(string: duration))
        add("probability", number(probability))
        add("intensity", number(intensity))
        add("times", times.map { RawJSON(integer: $0) })
        if !matches.isEmpty { add("match", RawJSON(object: try matches.map(Self.header))) }
        for (name, text) in [
            ("delay", delay), ("error_type", errorType), ("message", message), ("cpu", cpu), ("owner", owner),
            ("id", id),
        ] {
            add(name, text.map { RawJSON(string: $0) })
        }
        add("load", number(load))
        add("bytes", bytes.map { RawJSON(integer: $0) })
        add("seed", seed.map { RawJSON(integer: $0) })
        if !changes.isEmpty { add("changes", RawJSON(array: try changes.map(Self.change))) }
        return RawJSON(object: members)
    }

    /// What is JSON stays so; any other value is a text.
    private static func header(_ text: String) throws -> RawJSON.Member {
        guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
            throw ValidationError("--match '\(text)' must be a header and its value, like tenant=t1")
        }
        return RawJSON.Member(
            name: String(text[..<sign]), value: RawJSON(loose: String(text[text.index(after: sign)...])))
    }

    private static func change(_ text: String) throws -> RawJSON {
        guard let json = try? RawJSON(Array(text.utf8)), json.kind == .object else {
            throw ValidationError(#"--change '\#(text)' must be JSON like {"op":"null","at":"/price"}"#)
        }
        return json
    }
}

/// Which faults are meant.
struct FaultSelection: ParsableArguments {
    @Option(help: "Those that name this actor.", completion: .actorNames) var actor: String?
    @Option(help: "Those of this owner.") var owner: String?

    var query: [(String, String)] {
        [("actor", actor), ("owner", owner)].compactMap { name, value in value.map { (name, $0) } }
    }

    static func path(_ query: [(String, String)]) -> String {
        let text = query.map { "\($0.0)=\($0.1.percentEncoded())" }.joined(separator: "&")
        return text.isEmpty ? "/faults" : "/faults?\(text)"
    }
}

struct FaultList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows the faults that there are just now.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @OptionGroup var selection: FaultSelection
    @Flag(help: "Also those that have ended within a day.") var all = false

    func run() async throws {
        let query = selection.query + (all ? [("all", "true")] : [])
        let answer = try await gateway.client().send(.get, FaultSelection.path(query))
        if options.isJSON { return Output.line(answer.description) }
        let faults = answer["faults"]?.elements ?? []
        if faults.isEmpty { return Output.line("no faults") }
        for line in FaultTable(faults).lines(width: Terminal.output().columns) { Output.line(line) }
    }
}

struct FaultReset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset", abstract: "Ends faults before their time: those of an actor or an owner, some, or all.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @OptionGroup var selection: FaultSelection
    @Argument(help: "Faults' ids.") var ids: [String] = []

    func validate() throws {
        if !ids.isEmpty && !selection.query.isEmpty {
            throw ValidationError("either ids, or --actor and --owner")
        }
        if ids.contains("") { throw ValidationError("a fault's id must not be empty") }
    }

    func run() async throws {
        let client = try gateway.client()
        let paths = ids.isEmpty ? [FaultSelection.path(selection.query)] : ids.map { "/faults/\($0.percentEncoded())" }
        for path in paths {
            let answer = try await client.send(.delete, path)
            if options.isJSON {
                Output.line(answer.description)
                continue
            }
            let faults = answer["faults"]?.elements ?? []
            if faults.isEmpty { Output.line("no faults") }
            for fault in faults {
                Output.line("\(fault["id"]?.string ?? "") has ended: \(fault["state"]?.string ?? "")")
            }
        }
    }
}

/// Faults as the gateway describes them, a line each.
struct FaultTable {
    private var table = Table("FAULT", "KIND", "ACTOR", "P", "LEFT", "OWNER", "WHAT")

    /// What every fault has, shown in columns of its own or of no interest here.
    private static let common: Set = [
        "id", "kind", "actor", "probability", "owner", "seed", "injected_at", "until", "state", "milliseconds_left",
        "injected_by", "reset_at", "reset_by",
    ]

    init(_ faults: [RawJSON]) {
        for fault in faults {
            let left = fault["milliseconds_left"]?.integer.map { Age(microseconds: Int64($0) * 1000).text }
            let details = fault.members.filter { member in
                let name = member.name ?? ""
                return !Self.common.contains(name) && !(name == "intensity" && member.value.description == "1")
            }
            table.append(
                fault["id"]?.string ?? "", fault["kind"]?.string ?? "", fault["actor"]?.string ?? "",
                fault["probability"]?.description ?? "1", left ?? fault["state"]?.string ?? "-",
                fault["owner"]?.string ?? "-",
                details.map { "\($0.name ?? "")=\($0.value.string ?? $0.value.description)" }.joined(separator: " "))
        }
    }

    func lines(width: Int) -> [String] { table.lines(width: width) }
}
