import ArgumentParser
import Dev
import Envelopes
import HTTPClient
import Settings

/// `troupe doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks at everything that a pipeline needs, and says what to do.",
        discussion: """
            The project, Python, each handler (started for real), sockets, what is
            kept; the broker, its queues, the database and its schema, where
            TROUPE_RABBITMQ_URL and TROUPE_DATABASE_URL name them; the gateway. It
            changes nothing. Ends with code 1 where something does not work.

              troupe doctor
              troupe doctor reading/ --output json
            """)

    @Argument(help: "The project: its folder, or its file.", completion: .file(extensions: ["yaml", "yml"]))
    var project = "."

    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    func run() async throws {
        let report = DoctorReport(isJSON: options.isJSON, terminal: .output(options.color))
        var states: [Finding.State] = []
        func tell(_ finding: Finding) {
            states.append(finding.state)
            report.show(finding)
        }
        await Doctor(project: project, settings: .ofProcess()).examine(tell)
        for finding in await GatewayCheck(try gateway.client()).findings() { tell(finding) }
        report.end(states)
        if states.contains(.problem) { throw CommandExit.failed.code }
    }
}

/// What a doctor has to say of the gateway.
struct GatewayCheck {
    private let client: GatewayClient

    init(_ client: GatewayClient) { self.client = client }

    func findings() async -> [Finding] {
        do throws(GatewayError) {
            _ = try await client.exchange(.get, "/readyz", timeout: .seconds(5))
        } catch {
            if error.exit == .noGateway {
                return [
                    Finding(
                        "gateway", .skipped, "none at \(client.url)",
                        advice: "`troupe dev` or `troupe gateway` starts one; --gateway names another")
                ]
            }
            return [Finding("gateway", .problem, error.description)]
        }
        do throws(GatewayError) {
            let answer = try await client.send(.get, "/actors", timeout: .seconds(10))
            let actors = answer["actors"]?.elements ?? []
            return [Finding("gateway", .ok, "\(client.url), \(actors.count) actors")] + actors.compactMap(finding)
        } catch {
            return [Finding("gateway", .warning, "\(client.url): \(error)")]
        }
    }

    /// Of an actor that somebody should look at.
    private func finding(_ actor: RawJSON) -> Finding? {
        let name = actor["name"]?.string ?? ""
        if let paused = actor["paused"], paused.kind != .null {
            return Finding("actor", .warning, "\(name) is paused", advice: "`troupe actors resume \(name)`")
        }
        if let dead = actor["dead_letters"]?.integer, dead > 0 {
            return Finding(
                "actor", .warning, "\(name) has \(dead) dead letters", advice: "`troupe dlq list --actor \(name)`")
        }
        if let ready = actor["ready"]?.integer, ready > 0, actor["consumers"]?.integer == 0 {
            return Finding(
                "actor", .warning, "\(name): \(ready) waiting, nobody takes them",
                advice: "start a sidecar of '\(name)'")
        }
        return nil
    }
}

/// A line for each finding, as they come.
struct DoctorReport {
    let isJSON: Bool
    let terminal: Terminal

    func show(_ finding: Finding) {
        if isJSON { return Output.line(finding.json.description) }
        let (mark, style): (String, StyledLine.Style) =
            switch finding.state {
            case .ok: ("ok", .green)
            case .warning: ("warning", .yellow)
            case .problem: ("problem", .red)
            case .skipped: ("-", .dim)
            }
        var words = finding.text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }[
            ...]
        var line = StyledLine(mark.padded(toColumns: 9), style)
        line.append(finding.part.padded(toColumns: 10), .dim)
        line.append(words.popFirst() ?? "", finding.state == .skipped ? .dim : .plain)
        Output.line(line.text(color: terminal.hasColor))
        let margin = String(repeating: " ", count: 19)
        for word in words { Output.line(margin + word) }
        if let advice = finding.advice {
            Output.line(StyledLine("\(margin)\(advice)", .dim).text(color: terminal.hasColor))
        }
    }

    func end(_ states: [Finding.State]) {
        if isJSON { return }
        let problems = states.count { $0 == .problem }
        let warnings = states.count { $0 == .warning }
        var line = StyledLine()
        if problems > 0 {
            line.append("\(problems) problem\(problems == 1 ? "" : "s")", .red)
        } else {
            line.append("no problems", .green)
        }
        if warnings > 0 { line.append(", \(warnings) warning\(warnings == 1 ? "" : "s")", .yellow) }
        Output.line("\n" + line.text(color: terminal.hasColor))
    }
}

extension Finding {
    /// `{"part", "state", "text", "advice"?}`
    fileprivate var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            for (name, value) in [("part", part), ("state", state.rawValue), ("text", text), ("advice", advice)] {
                guard let value else { continue }
                writer.name(name)
                writer.append(string: value)
            }
            writer.endObject()
        }
    }
}
