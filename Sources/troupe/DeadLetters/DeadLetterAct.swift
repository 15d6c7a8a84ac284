import ArgumentParser
import Envelopes
import HTTPClient

/// Replays or purges, a piece at a time, until nothing is left that was meant.
struct DeadLetterAct {
    let path: String
    /// What has happened to those it went well with.
    let done: String

    private static let piece = 1000

    func run(
        _ gateway: GatewayOptions, _ selection: DeadLetterOptions, ids: [String], dryRun: Bool
    ) async throws {
        // What is sent again and dies again comes back with a later time: without an end to look to, this would never end.
        let start = Timestamp.now()
        let client = try gateway.client()
        var doneCount = 0
        while true {
            let answer = try await client.send(
                .post, "/dead-letters/\(path)", request(selection, ids: ids, before: start, dryRun: dryRun))
            let report = DeadLetterReport(answer)
            doneCount += report.doneCount
            if selection.options.isJSON || dryRun || report.failedCount > 0 {
                report.show(selection.options.output, empty: "no dead letters are meant")
            }
            if dryRun { return }
            // What failed is still there, and would be met again.
            if report.failedCount > 0 {
                Output.note("\(doneCount) \(done), \(report.failedCount) failed")
                throw CommandExit.failed.code
            }
            if !report.isMore { break }
            Output.note("\(doneCount) \(done) ...")
        }
        if selection.options.isJSON { return }
        Output.line(doneCount == 0 ? "no dead letters are meant" : "\(doneCount) \(done)")
    }

    private func request(
        _ selection: DeadLetterOptions, ids: [String], before start: String, dryRun: Bool
    ) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            for (name, value) in selection.members + [("before", start)] {
                writer.name(name)
                writer.append(string: value)
            }
            if !ids.isEmpty {
                writer.name("ids")
                writer.append(strings: ids)
            }
            writer.name("limit")
            writer.append(Self.piece)
            writer.name("dry_run")
            writer.append(dryRun)
            writer.endObject()
        }
    }
}

/// The gateway's answer about some dead letters.
struct DeadLetterReport {
    private let answer: RawJSON

    init(_ answer: RawJSON) { self.answer = answer }

    private var entries: [RawJSON] { answer["dead_letters"]?.elements ?? [] }
    var doneCount: Int { answer["done"]?.integer ?? 0 }
    var failedCount: Int { answer["failed"]?.integer ?? 0 }
    var isMore: Bool { answer["more"]?.boolean ?? false }

    func show(_ format: OutputFormat, empty: String) {
        if format == .json { return Output.line(answer.description) }
        if entries.isEmpty { return Output.line(empty) }
        var table = Table("ACTOR", "ID", "SINCE", "REASON")
        for entry in entries {
            let reason = entry["reason"]?.string ?? ""
            table.append(
                entry["actor"]?.string ?? "", entry["id"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "-",
                entry["time"]?.string.map { $0.prefix(19) + "Z" } ?? "-",
                entry["error"]?.string.map { "\(reason) (not sent: \($0))" } ?? reason)
        }
        for line in table.lines(width: Terminal.output().columns) { Output.line(line) }
        if isMore { Output.note("there are more") }
    }
}
