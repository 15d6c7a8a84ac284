import Envelopes
import Testing

@testable import Gateways

@Suite("Envelope state machine")
struct EnvelopeStateMachineTests {
    private func change(
        _ status: String, _ kind: StatusReport.Kind = .progress, at index: Int = 0, of actors: [String] = ["a", "b"],
        event: String = "", attempt: Int? = nil, nextAttemptAt: String? = nil, replays: Int = 0, loops: Int = 0
    ) throws -> EnvelopeChange {
        var report = StatusReport(
            kind: kind, eventID: event, envelopeID: "e", status: status, actors: actors, currentActorIndex: index,
            attempt: attempt, nextAttemptAt: nextAttemptAt,
            result: kind == .final ? RawJSON(integer: index) : nil)
        report.replays = replays
        report.loops = loops
        return try EnvelopeChange(report)
    }

    @Test("a straight way through a route")
    func straight() throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b"])
        #expect(machine.status == .pending)
        let steps: [(String, Int, Double)] = [
            ("received", 0, 5), ("processing", 0, 25), ("completed", 1, 100), ("received", 1, 100),
            ("processing", 1, 100),
        ]
        for (status, index, percent) in steps {
            #expect(machine.apply(try change(status, at: index)) == .log(status: .running, percent: percent))
        }
        #expect(machine.apply(try change("succeeded", .final, at: 2)) == .log(status: .succeeded, percent: 100))
        #expect(machine.actorsCompleted == 2)
    }

    @Test("progress never falls, and a late report doesn't move the actor back")
    func lateProgress() throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b", "c", "d"])
        let actors = ["a", "b", "c", "d"]
        #expect(machine.apply(try change("processing", at: 2, of: actors)) == .log(status: .running, percent: 62.5))
        #expect(machine.apply(try change("received", at: 1, of: actors)) == .log(status: .running, percent: 62.5))
        #expect(machine.actorIndex == 2)
        #expect(machine.actorName == "c")
        #expect(machine.message == "Processing in c")
    }

    @Test("a late report of an earlier actor doesn't end a retry")
    func lateDuringRetry() throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b"])
        #expect(machine.apply(try change("retrying", at: 1)) == .log(status: .retrying, percent: 50))
        #expect(machine.apply(try change("completed", at: 0)) == .log(status: .retrying, percent: 50))
        #expect(machine.apply(try change("received", at: 1)) == .log(status: .running, percent: 55))
    }

    @Test("attempts are counted at each actor; the next one's time is known until it begins or the envelope ends")
    func attempts() throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b"])
        _ = machine.apply(try change("processing", attempt: 1))
        #expect(machine.attempt == 1)
        _ = machine.apply(try change("retrying", attempt: 1, nextAttemptAt: "1970-01-01T00:00:07Z"))
        #expect(machine.nextAttemptAt == 7_000_000)
        _ = machine.apply(try change("received", attempt: 2))
        #expect(machine.attempt == 2)
        #expect(machine.nextAttemptAt == nil)
        _ = machine.apply(try change("retrying", attempt: 2, nextAttemptAt: "1970-01-01T00:00:09Z"))
        _ = machine.apply(try change("failed", .final))
        #expect(machine.attempt == 2)
        #expect(machine.nextAttemptAt == nil)
    }

    @Test("a route that leads back: what the next round reports is news wherever it is")
    func loops() throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b"])
        _ = machine.apply(try change("processing", at: 1))
        _ = machine.apply(try change("retrying", at: 0, attempt: 1, loops: 1))
        #expect(machine.status == .retrying)
        #expect(machine.actorIndex == 0)
        #expect(machine.actorName == "a")
        // Late, of the round before.
        _ = machine.apply(try change("completed", at: 1))
        #expect(machine.status == .retrying)
        _ = machine.apply(try change("processing", at: 1, loops: 1))
        #expect(machine.actorIndex == 1)
    }

    @Test("what is final stays so", arguments: ["succeeded", "failed", "cancelled"])
    func final(status: String) throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b"])
        _ = machine.apply(try change(status, .final, at: 1))
        let ended = machine
        #expect(machine.apply(try change("processing", at: 1)) == .ignore(.isFinal))
        for other in ["succeeded", "failed", "cancelled"] {
            #expect(machine.apply(try change(other, .final, at: 0)) == .ignore(.isFinal))
        }
        #expect(machine == ended)
    }

    @Test("what has failed or was cancelled may be reopened, and ends again", arguments: ["failed", "cancelled"])
    func reopened(status: String) throws {
        var machine = EnvelopeStateMachine(actors: ["a", "b"])
        _ = machine.apply(try change(status, .final, at: 1))
        #expect(
            machine.apply(try change("running", .reopened, event: "r", replays: 1))
                == .log(status: .running, percent: 100))
        #expect(machine.actorIndex == 0)
        #expect(machine.result == nil)
        #expect(machine.error == nil)
        #expect(machine.apply(try change("running", .reopened, event: "r", replays: 1)) == .ignore(.isRepeated))
        #expect(machine.apply(try change("processing", replays: 1)) == .log(status: .running, percent: 100))
        #expect(
            machine.apply(try change("succeeded", .final, at: 2, replays: 1)) == .log(status: .succeeded, percent: 100))
    }

    @Test("what has succeeded can't be reopened")
    func reopenedTooLate() throws {
        var machine = EnvelopeStateMachine(actors: ["a"])
        _ = machine.apply(try change("succeeded", .final, at: 1))
        let ended = machine
        #expect(machine.apply(try change("running", .reopened, replays: 1)) == .ignore(.isFinal))
        #expect(machine == ended)
    }

    @Test("an end from before the replay that comes late doesn't end it")
    func outdatedEnd() throws {
        var machine = EnvelopeStateMachine(actors: ["a"])
        // The replay is known before the end that it follows.
        #expect(machine.apply(try change("running", .reopened, replays: 1)) == .log(status: .running, percent: 0))
        #expect(machine.apply(try change("failed", .final)) == .ignore(.isOutdated))
        #expect(machine.apply(try change("running", .reopened)) == .ignore(.isOutdated))
        #expect(machine.status == .running)
    }

    @Test("a report that comes again counts once")
    func repeated() throws {
        var machine = EnvelopeStateMachine(actors: ["a"])
        #expect(machine.apply(try change("received", event: "1")) == .log(status: .running, percent: 5))
        #expect(machine.apply(try change("received", event: "1")) == .ignore(.isRepeated))
    }

    @Test("a time that can't be read is refused", arguments: ["soon", "2026-02-30T00:00:00Z"])
    func unreadableTime(text: String) {
        #expect(throws: StatusReportError.self) { try change("retrying", nextAttemptAt: text) }
    }

    @Test("unknown statuses are refused", arguments: ["", "done", "succeeded", "RECEIVED"])
    func unknownProgress(status: String) {
        #expect(throws: StatusReportError.self) { try change(status) }
    }

    @Test("a final report needs a final status", arguments: ["", "running", "pending", "unknown", "completed"])
    func unknownFinal(status: String) {
        #expect(throws: StatusReportError.self) { try change(status, .final) }
    }
}

@Suite("Reports")
struct EnvelopeChangeTests {
    private func read(_ body: String, _ kind: StatusReport.Kind) throws -> EnvelopeChange {
        try EnvelopeChange(StatusReport(parsing: Array(body.utf8), kind: kind, envelopeID: "e"))
    }

    @Test(
        "the share of a route",
        arguments: [
            ("received", 0, 1, 10.0), ("processing", 0, 1, 50), ("completed", 0, 1, 100), ("received", 1, 3, 110.0 / 3),
            ("completed", 3, 3, 100), ("received", 7, 3, 100), ("received", -5, 2, 5), ("received", 0, 0, 0),
        ])
    func percent(status: String, index: Int, count: Int, percent: Double) throws {
        let actors = (0..<count).map { "\"a\($0)\"" }.joined(separator: ",")
        let change = try read(
            #"{"status":"\#(status)","current_actor_idx":\#(index),"actors":[\#(actors)]}"#, .progress)
        #expect(abs(change.percent - percent) < 1e-9)
    }

    @Test("messages say what a reader wants to know")
    func messages() throws {
        #expect(
            try read(#"{"status":"received","message_size_kb":0.2051}"#, .progress).message
                == "Received message (0.21 KB)")
        #expect(try read(#"{"status":"processing","actors":["x"]}"#, .progress).message == "Processing in x")
        #expect(
            try read(#"{"status":"completed","duration_ms":0}"#, .progress).message == "Completed processing in 0ms")
        #expect(try read(#"{"status":"received","message":"hello"}"#, .progress).message == "hello")
        #expect(try read(#"{"status":"succeeded"}"#, .final).message == "Envelope completed successfully")
        #expect(
            try read(#"{"status":"failed","current_actor_name":"x","error":"boom"}"#, .final).message
                == "Envelope failed at actor 'x': boom")
    }

    @Test("a failure's details become its result")
    func failure() throws {
        let change = try read(
            """
            {"status":"failed","error":"boom","error_details":{"n":1e400},"current_actor_name":"b","current_actor_idx":1,\
            "actors":["a","b"],"result":1}
            """, .final)
        #expect(
            change.result?.description
                == #"{"error":"boom","details":{"n":1e400},"failed_actor":"b","failed_actor_idx":1,"route":{"actors":["a","b"],"current":1}}"#
        )
        #expect(change.error == "boom")
    }
}
