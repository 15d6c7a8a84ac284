import ArgumentParser
import Envelopes
import HTTPClient

/// `troupe incidents`
struct IncidentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "incidents",
        abstract: "Shows incidents, or the timeline of one.",
        discussion: """
            Incidents are envelopes that were submitted by the tool `incident`; what
            has happened to one is its own history.

              troupe incidents --since 1h
              troupe incidents incident-felix-12-database_service
              troupe incidents --output json > incidents.jsonl
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    @Argument(help: "One incident's id, for its timeline.", completion: .envelopeIDs) var id: String?
    @Option(help: "By which tool they were submitted.", completion: .toolNames) var tool = "incident"
    @Option(help: "Where they stand.") var status: EnvelopeStatus?
    @Option(help: ArgumentHelp("Opened since: a time span back from now, or a time in ISO 8601.", valueName: "when"))
    var since: String?
    @Option(help: "At most so many, the newest, 1 to 1000.") var limit = 50

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit must be from 1 to 1000") }
        try EnvelopeIDs.check([id].compactMap(\.self))
        _ = try query
    }

    private var query: String {
        get throws {
            let since = try since.map { try Moment.text(option: "--since", $0, sign: -1) }
            return [
                ("tool", tool), ("status", status?.rawValue), ("since", since), ("limit", String(limit)),
            ].compactMap { name, value in value.map { "\(name)=\($0.percentEncoded())" } }.joined(separator: "&")
        }
    }

    func run() async throws {
        let client = try gateway.client()
        if let id {
            let incident = try await incident(id, client)
            if options.isJSON { return Output.line(incident.json.description) }
            return show(incident.timeline)
        }
        let page = try await client.send(.get, "/envelopes?\(try query)")
        var table = Table("ID", "SERVICE", "TYPE", "STATE", "AGE", "TOOK", "OUTCOME")
        var isEmpty = true
        for envelope in page["envelopes"]?.elements ?? [] {
            isEmpty = false
            let id = envelope["id"]?.string ?? ""
            if options.isJSON {
                Output.line(try await incident(id, client).json.description)
                continue
            }
            let incident = Incident(try await client.send(.get, "/envelopes/\(id.percentEncoded())"), history: [])
            table.append(
                incident.id, incident.service, incident.type, incident.state.text,
                envelope["created_at"]?.string.flatMap { Age(since: $0)?.text } ?? "-", incident.duration?.text ?? "-",
                incident.outcome)
        }
        if options.isJSON { return }
        if isEmpty { return Output.line("no incidents") }
        for line in table.lines(width: Terminal.output().columns) { Output.line(line) }
    }

    private func incident(_ id: String, _ client: GatewayClient) async throws -> Incident {
        let path = "/envelopes/\(id.percentEncoded())"
        let envelope = try await client.send(.get, path)
        var updates: [RawJSON] = []
        var after = 0
        while true {
            let page = try await client.send(.get, "\(path)/history?limit=1000&after=\(after)")
            updates += page["updates"]?.elements ?? []
            guard let next = page["next_after"]?.integer, next > after else { break }
            after = next
        }
        return Incident(envelope, history: updates)
    }

    private func show(_ timeline: [StyledLine]) {
        let terminal = Terminal.output(options.color)
        for line in timeline { Output.line(line.truncated(to: terminal.columns).text(color: terminal.hasColor)) }
    }
}
