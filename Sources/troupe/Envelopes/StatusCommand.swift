import ArgumentParser
import Envelopes
import HTTPClient

/// `troupe status`
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows where an envelope stands, and the steps it has taken.",
        discussion: """
              troupe status 0190c7a4-...
              troupe status 0190c7a4-... --output json | jq .status
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Argument(help: "The envelope's id.", completion: .envelopeIDs) var id: String

    func validate() throws { try EnvelopeIDs.check([id]) }

    func run() async throws {
        let envelope = try await gateway.client().send(.get, "/envelopes/\(id.percentEncoded())")
        if options.isJSON { return Output.line(envelope.description) }
        let terminal = Terminal.output(options.color)
        for line in EnvelopeView(envelope).lines(width: terminal.columns) {
            Output.line(line.text(color: terminal.hasColor))
        }
    }
}

/// An envelope for people. Pure.
struct EnvelopeView {
    private let envelope: RawJSON
    private let now: Int64

    init(_ envelope: RawJSON, now: Int64 = Timestamp.microsecondsNow()) {
        self.envelope = envelope
        self.now = now
    }

    func lines(width: Int) -> [StyledLine] {
        var lines = fields.map { name, value in
            var line = StyledLine(name.padded(toColumns: 10), .dim)
            line.append(value)
            return line.truncated(to: width)
        }
        let steps = envelope["steps"]?.elements ?? []
        guard !steps.isEmpty else { return lines }
        var table = Table("STEP", "ATTEMPT", "OUTCOME", "WAITED", "RAN", "ERROR")
        for step in steps {
            table.append(
                step["actor"]?.string ?? "", step["attempt"]?.description ?? "-", step["outcome"]?.string ?? "",
                milliseconds(step["wait_ms"]), milliseconds(step["run_ms"]), step["error"]?.string ?? "")
        }
        lines.append(StyledLine())
        lines += table.lines(width: width).map { StyledLine($0) }
        for step in steps {
            for fault in step["faults"]?.elements ?? [] {
                var line = StyledLine("\(step["actor"]?.string ?? ""): ")
                line.append(fault["message"]?.string ?? "", .magenta)
                lines.append(line.truncated(to: width))
            }
        }
        return lines
    }

    private var fields: [(String, StyledLine)] {
        var fields: [(String, StyledLine)] = []
        func add(_ name: String, _ text: String?, _ style: StyledLine.Style = .plain) {
            if let text, !text.isEmpty { fields.append((name, StyledLine(text, style))) }
        }
        add("id", envelope["id"]?.string, .bold)
        fields.append(("status", status))
        fields.append(("route", route))
        add("tool", envelope["tool"]?.string)
        add("parent", envelope["parent_id"]?.string)
        add("message", envelope["message"]?.string)
        add("error", envelope["error"]?.string, .red)
        add("created", moment("created_at"))
        add("updated", moment("updated_at"))
        add("starts", envelope["not_before"]?.string)
        add("deadline", envelope["deadline"]?.string)
        let children = (envelope["children"]?.members ?? []).map { "\($0.value) \($0.name ?? "")" }
        add("children", children.joined(separator: ", "))
        return fields
    }

    private var status: StyledLine {
        let text = envelope["status"]?.string ?? "unknown"
        var line = StyledLine(text, EnvelopeStatus(rawValue: text)?.style ?? .plain)
        if let percent = envelope["progress_percent"]?.double { line.append(", \(Int(percent))%") }
        if let attempt = envelope["attempt"]?.integer, attempt > 1 { line.append(", attempt \(attempt)", .yellow) }
        return line
    }

    /// With the actor whose turn it is.
    private var route: StyledLine {
        let isOver = EnvelopeStatus(rawValue: envelope["status"]?.string ?? "")?.isFinal ?? false
        let current = envelope["current_actor_idx"]?.integer
        var line = StyledLine()
        for (index, actor) in (envelope["route"]?["actors"]?.elements ?? []).compactMap(\.string).enumerated() {
            if index > 0 { line.append(" → ", .dim) }
            line.append(actor, index == current && !isOver ? .bold : .plain)
        }
        return line
    }

    private func moment(_ name: String) -> String? {
        envelope[name]?.string.map { text in
            "\(text.prefix(19))Z" + (Age(since: text, now: now).map { " (\($0.text) ago)" } ?? "")
        }
    }

    private func milliseconds(_ json: RawJSON?) -> String {
        json?.double.map { Age(microseconds: Int64(min(max($0, 0), 1e15) * 1000)).text } ?? "-"
    }
}
