import ArgumentParser
import Envelopes
import HTTPClient

extension EnvelopeStatus: ExpressibleByArgument {}

/// `troupe list`
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists envelopes, the newest first.",
        discussion: """
              troupe list --status failed --since 1h
              troupe list --actor summary --limit 1000
              troupe list --status failed --output json | jq -r '.envelopes[].id' | xargs troupe retry
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    @Option(help: "Where they stand.") var status: EnvelopeStatus?
    @Option(help: "At which actor they are, or have ended.", completion: .actorNames) var actor: String?
    @Option(help: "By which tool they were submitted.", completion: .toolNames) var tool: String?
    @Option(help: ArgumentHelp("Out of which envelope they came.", valueName: "id"), completion: .envelopeIDs)
    var parent: String?
    @Option(help: ArgumentHelp("Created since: a time span back from now, or a time in ISO 8601.", valueName: "when"))
    var since: String?
    @Option(help: ArgumentHelp("Created before that.", valueName: "when")) var before: String?
    @Flag(help: "The oldest first.") var oldestFirst = false
    @Option(help: "At most so many, 1 to 100000.") var limit = 50

    /// Of the gateway.
    private static let pageLimit = 1000

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
        _ = try query
    }

    private var query: [(String, String)] {
        get throws {
            let since = try since.map { try Moment.text(option: "--since", $0, sign: -1) }
            let before = try before.map { try Moment.text(option: "--before", $0, sign: -1) }
            return [
                ("status", status?.rawValue), ("actor", actor), ("tool", tool), ("parent", parent), ("since", since),
                ("before", before), ("order", oldestFirst ? "asc" : nil),
            ].compactMap { name, value in value.map { (name, $0) } }
        }
    }

    func run() async throws {
        let client = try gateway.client()
        let query = try query
        var envelopes: [RawJSON] = []
        var cursor: String?
        repeat {
            let count = min(limit - envelopes.count, Self.pageLimit)
            let parameters = query + [("limit", String(count))] + (cursor.map { [("cursor", $0)] } ?? [])
            let text = parameters.map { "\($0)=\($1.percentEncoded())" }.joined(separator: "&")
            let page = try await client.send(.get, "/envelopes?\(text)")
            envelopes += page["envelopes"]?.elements ?? []
            cursor = page["next_cursor"]?.string
        } while cursor != nil && envelopes.count < limit
        show(envelopes, cursor)
    }

    private func show(_ envelopes: [RawJSON], _ cursor: String?) {
        if options.isJSON {
            let next = cursor.map { [RawJSON.Member(name: "next_cursor", value: RawJSON(string: $0))] } ?? []
            let list = RawJSON.Member(name: "envelopes", value: RawJSON(array: envelopes))
            return Output.line(RawJSON(object: [list] + next).description)
        }
        if envelopes.isEmpty { return Output.line("no envelopes") }
        var table = Table("ID", "STATUS", "DONE", "ACTOR", "AGE", "TOOL", "MESSAGE")
        for envelope in envelopes {
            table.append(
                envelope["id"]?.string ?? "", envelope["status"]?.string ?? "",
                envelope["progress_percent"]?.double.map { "\(Int($0))%" } ?? "-",
                envelope["current_actor_name"]?.string ?? "-",
                envelope["created_at"]?.string.flatMap { Age(since: $0)?.text } ?? "-",
                envelope["tool"]?.string ?? "-", envelope["error"]?.string ?? envelope["message"]?.string ?? "")
        }
        for line in table.lines(width: Terminal.output().columns) { Output.line(line) }
        if cursor != nil { Output.note("there are more: --limit, --since and --before say which to show") }
    }
}
