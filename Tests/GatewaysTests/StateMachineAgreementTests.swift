import Envelopes
import PostgreSQL
import Testing

@testable import Gateways

/// Plays the same random reports against the state machine and against a store.
@Suite("State machine and stores agree", .serialized)
struct StateMachineAgreementTests {
    @Test("thousands of random reports leave both in the same state", arguments: StoreKind.allCases)
    func random(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            var generator = SystemRandomNumberGenerator()
            for round in 0..<60 {
                let actors = (0..<Int.random(in: 1...4, using: &generator)).map { "actor\($0)" }
                let id = "e\(round)"
                let submission = try SubmissionRequest(route: actors, payload: .null, schedule: Schedule()).submission(
                    id: id)
                _ = try await store.submit(submission, grace: .zero)
                var machine = EnvelopeStateMachine(actors: actors, message: "Sending envelope to first actor")
                var logged: [String] = ["running 0.0"]
                for step in 0..<40 {
                    if let end = try await endWithoutReport(id, machine, database),
                        case .log(let status, let percent) = machine.apply(end)
                    {
                        logged.append("\(status) \(percent)")
                    }
                    let partial = try randomPartial(id, actors, step, &generator)
                    let rows = machine.append(partial, limit: 25)
                    _ = try await store.append([partial], limit: 25)
                    logged += rows.map { "\(machine.status) \($0.percent ?? -1)" }
                    let change = try EnvelopeChange(randomReport(id, actors, step, &generator))
                    let action = machine.apply(change)
                    let outcome = try await store.apply([change])[0]
                    switch (action, outcome) {
                    case (.log(let status, let percent), .applied(let stored)):
                        #expect(percent == stored)
                        logged.append("\(status) \(percent)")
                    case (.ignore, .ignored(let stored, _)): #expect(stored == machine.percent)
                    default: Issue.record("\(action) but \(outcome) for \(change)")
                    }
                }
                try await compare(machine, logged, id, store)
            }
        }
    }

    /// Sometimes the gateway itself ends an envelope: what the machine calls it.
    private func endWithoutReport(_ id: String, _ machine: EnvelopeStateMachine, _ database: any TestStore) async throws
        -> EnvelopeChange?
    {
        var report = StatusReport(
            kind: .final, eventID: "", envelopeID: id, status: "cancelled", actors: [], currentActorIndex: 0)
        report.replays = machine.round.replays
        switch Int.random(in: 0..<60) {
        case 0: #expect(try await database.store.cancel(id) == (machine.status.isFinal ? 0 : 1))
        case 1:
            try await database.execute(
                "UPDATE envelopes SET deadline = \(database.ago(.milliseconds(1))) WHERE id = '\(id)'")
            let overdue = try await database.store.overdue(grace: .zero, limit: 10)
            #expect(overdue.map(\.id) == (machine.status.isFinal ? [] : [id]))
            guard let envelope = overdue.first else { return nil }
            #expect(envelope.round == machine.round)
            let change = try EnvelopeChange(envelope.report)
            _ = try await database.store.apply([change])
            // In real life a replay takes it away; here one may come with the same number.
            try await database.execute("UPDATE envelopes SET deadline = NULL WHERE id = '\(id)'")
            return change
        default: return nil
        }
        return try EnvelopeChange(report)
    }

    private func randomPartial(
        _ id: String, _ actors: [String], _ step: Int, _ generator: inout SystemRandomNumberGenerator
    ) throws -> PartialResults {
        var report = StatusReport(
            kind: .emitted, eventID: Bool.random(using: &generator) ? "" : "emitted\(step / 2)", envelopeID: id,
            status: "running", actors: [actors, []].randomElement(using: &generator) ?? [],
            currentActorIndex: Int.random(in: 0...actors.count, using: &generator))
        report.loops = Int.random(in: 0...step / 10, using: &generator)
        report.events = (0..<Int.random(in: 0...3, using: &generator)).map { number in
            let percent = Double.random(in: -10...110, using: &generator)
            let message = Bool.random(using: &generator) ? #","message":"\#(step).\#(number)""# : ""
            let isProgress = Bool.random(using: &generator)
            let data = RawJSON { $0.append(percent) }
            return EmittedEvent(
                type: isProgress ? "progress" : "token",
                data: (try? RawJSON(Array(#"{"percent":\#(data)\#(message)}"#.utf8))) ?? .null)
        }
        return try PartialResults(report)
    }

    private func randomReport(
        _ id: String, _ actors: [String], _ step: Int, _ generator: inout SystemRandomNumberGenerator
    ) -> StatusReport {
        let kind =
            [.final, .reopened].first { _ in Int.random(in: 0..<15, using: &generator) == 0 }
            ?? StatusReport.Kind.progress
        let statuses =
            switch kind {
            case .final: ["succeeded", "failed", "failed", "cancelled"]
            case .reopened: ["running"]
            default: ["received", "processing", "completed", "retrying"]
            }
        // Routes grow and are left out; indexes jump back and forth; events repeat.
        let longer = actors + ["more"]
        var report = StatusReport(
            kind: kind, eventID: Bool.random(using: &generator) ? "" : "event\(step / 2)",
            envelopeID: id,
            status: statuses.randomElement(using: &generator) ?? "",
            actors: [actors, longer, []].randomElement(using: &generator) ?? [],
            currentActorIndex: Int.random(in: 0...actors.count, using: &generator),
            currentActorName: Bool.random(using: &generator) ? "named" : nil,
            attempt: [nil, 1, 2, 7].randomElement(using: &generator) ?? nil,
            nextAttemptAt: Bool.random(using: &generator) ? Timestamp.now(plus: .seconds(step)) : nil,
            result: Bool.random(using: &generator) ? RawJSON(integer: step) : nil,
            error: Bool.random(using: &generator) ? "error \(step)" : nil)
        report.loops = Int.random(in: 0...step / 10, using: &generator)
        report.replays = Int.random(in: 0...step / 30, using: &generator)
        return report
    }

    private func compare(_ machine: EnvelopeStateMachine, _ logged: [String], _ id: String, _ store: any EnvelopeStore)
        async throws
    {
        let envelope = try #require(try await store.envelope(id))
        #expect(envelope.status == machine.status)
        #expect(envelope.percent == machine.percent)
        #expect(envelope.actors == machine.actors)
        #expect(envelope.actorIndex == machine.actorIndex)
        #expect(envelope.routeCurrent == machine.actorIndex)
        #expect(envelope.actorName == machine.actorName)
        #expect(envelope.attempt == machine.attempt)
        #expect(envelope.nextAttemptAt == machine.nextAttemptAt)
        #expect(envelope.message == machine.message)
        #expect(envelope.error == machine.error)
        #expect(envelope.result.map { String(decoding: $0, as: UTF8.self) } == machine.result?.description)
        #expect(envelope.actorsCompleted == machine.actorsCompleted)
        #expect(envelope.totalActors == machine.actors.count)
        let history = try #require(try await store.updates(of: id, after: 0, limit: 1000)).updates
        #expect(history.map { "\($0.status) \($0.percent ?? -1)" } == logged)
    }
}

extension SubmissionRequest {
    func submission(id: String) throws -> Submission {
        var request = self
        request.id = id
        return try request.submission()
    }
}
