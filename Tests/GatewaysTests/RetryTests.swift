import Envelopes
import EventLoops
import Foundation
import Logging
import Testing
import Transports

@testable import Gateways

@Suite("Retries", .serialized)
struct RetryTests {
    private let known = Retry.Known(
        id: "e", status: .failed, actorName: "b", actorIndex: 1, replays: 2, loops: 0,
        submitted: Array(#"{"id":"e","route":{"actors":["a","b"]},"headers":{"k":1},"payload":1.50}"#.utf8),
        failed: Array(
            #"{"id":"e","route":{"actors":["a","b"],"current":1},"headers":{"troupe-attempts":[{"actor":"b"}],"troupe-loops":4},"deadline":"2020-01-01T00:00:00Z","payload":2.50}"#
                .utf8),
        fanOuts: 3, isBeingCancelled: false)

    // MARK: The plan

    @Test("the message is the one of the failed step, or the one that was submitted")
    func messages() throws {
        guard case .send(let failed) = try Retry.plan(known, from: .failedStep, now: 0) else {
            throw CancellationError()
        }
        #expect(failed.payload.description == "2.50")
        #expect(failed.route.current == 1)
        #expect(failed.headers.replays == 3)
        #expect(failed.headers.loops == 4)
        #expect(failed.headers.fanOuts == 3)
        #expect(failed.headers["troupe-attempts"] == nil)
        #expect(failed.deadlineText != nil)

        let later = Timestamp.microsecondsNow()
        guard case .send(let late) = try Retry.plan(known, from: .failedStep, now: later) else {
            throw CancellationError()
        }
        #expect(late.deadlineText == nil)

        guard case .send(let first) = try Retry.plan(known, from: .beginning, now: 0) else { throw CancellationError() }
        #expect(first.payload.description == "1.50")
        #expect(first.route.current == 0)
        #expect(first.headers["k"]?.integer == 1)
    }

    @Test("what can't be sent again is refused with the reason")
    func refusals() throws {
        func code(_ change: (inout Retry.Known) -> Void, from start: Retry.Start = .failedStep) -> ErrorCode? {
            var known = known
            change(&known)
            do {
                _ = try Retry.plan(known, from: start, now: 0)
                return nil
            } catch { return error.code }
        }
        for status in EnvelopeStatus.allCases {
            let expected: ErrorCode? =
                !status.isFinal ? .notEnded : status == .succeeded ? .notRetryable : nil
            #expect(code { $0.status = status } == expected)
        }
        #expect(code { $0.isBeingCancelled = true } == .notRetryable)
        #expect(code { $0.failed = nil } == .notRetryable)
        // It never got to its first actor.
        #expect(code { ($0.failed, $0.actorIndex) = (nil, 0) } == nil)
        #expect(code({ $0.submitted = nil }, from: .beginning) == .notRetryable)
        #expect(code { $0.failed = Array("{}".utf8) } == .notRetryable)
    }

    @Test("how often an envelope has fanned out is told by the ids of its children")
    func fanOuts() {
        for count in 0..<4 {
            var parent = Envelope(id: "a-1.5", route: Route(actors: ["x"]), payload: .null)
            parent.headers.fanOuts = count
            #expect(Envelope.fanOuts(after: parent.childID(7), of: "a-1.5") == count + 1)
        }
        #expect(Envelope.fanOuts(after: "other", of: "a") == 0)
    }

    // MARK: At the gateway

    private func fail(_ client: TestClient, _ id: String, replays: Int = 0) async throws {
        let answer = try await client.post(
            "/envelopes/\(id)/final",
            """
            {"status":"failed","actors":["a","b"],"current_actor_idx":1,"current_actor_name":"b","error":"broken",
            "replays":\(replays),"error_details":{"n":\(replays)},
            "failed_message":{"id":"\(id)","route":{"actors":["a","b"],"current":1},"headers":{"troupe-replays":\(replays)},"payload":{"n":1e400}}}
            """)
        #expect(answer.status == 200)
    }

    @Test(
        "a failed envelope goes to the failed actor with what that got, again and again", arguments: StoreKind.allCases)
    func failedStep(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            try await eventually("not sent") { gateway.transport.published.count == 1 }
            #expect(try await client.post("/envelopes/e/retry", "").code == "not_ended")
            for round in 1...3 {
                try await fail(client, "e", replays: round - 1)
                let answer = try await client.post("/envelopes/e/retry", "")
                #expect(answer.status == 202)
                #expect(answer["status"]?.string == "pending")
                #expect(answer["progress_percent"]?.integer == 50)
                #expect(answer["error"] == nil)
                try await eventually("not sent") { gateway.transport.published.count == round + 1 }
                let message = try #require(gateway.transport.published.last)
                #expect(message.destination == .actor("b"))
                let envelope = try Envelope(parsing: message.body)
                #expect(envelope.payload.description == #"{"n":1e400}"#)
                #expect(envelope.headers.replays == round)
                try await eventually("not deleted") { try await database.outboxLength() == 0 }
            }
            // The last run's failure comes again, too late.
            try await fail(client, "e", replays: 2)
            #expect(try await client.get("/envelopes/e")["status"]?.string == "pending")
            _ = try await client.post(
                "/envelopes/e/final",
                #"{"status":"succeeded","actors":["a","b"],"current_actor_idx":2,"replays":3,"result":7}"#)
            let updates = try #require(try await client.get("/envelopes/e/history")["updates"]).elements
            let results = updates.filter { $0["status"]?.string == "failed" }.map {
                $0["result"]?["details"]?["n"]?.integer
            }
            #expect(results == [0, 1, 2])
            #expect(try await client.get("/envelopes/e/result").text == "7")
            #expect(try await client.post("/envelopes/e/retry", "").code == "not_retryable")
        }
    }

    @Test("of many who retry at once one does it", arguments: StoreKind.allCases)
    func race(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            try await fail(client, "e")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 { group.addTask { try await client.post("/envelopes/e/retry", "").status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 202 } == 1)
            #expect(statuses.count { $0 == 409 } == 19)
            try await eventually("not sent") {
                gateway.transport.published.count { $0.destination == .actor("b") } == 1
            }
        }
    }

    @Test(
        "a gateway that is killed between its answer and the broker: another one sends the retry",
        arguments: StoreKind.allCases)
    func crash(kind: StoreKind) async throws {
        try await withGateway(kind, configure: { $0.outboxGrace = .milliseconds(300) }) { gateway, database in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            try await eventually("not sent") { try await database.outboxLength() == 0 }
            try await fail(client, "e")
            let known = try #require(try await database.store.retryable("e"))
            guard case .send(let envelope) = try Retry.plan(known, from: .failedStep, now: 0) else { return }
            // What `retry` does up to the moment of the crash.
            _ = try await database.store.reopen(with: envelope, message: "again", grace: .milliseconds(300))
            try await eventually("not sent") { gateway.transport.published.count == 2 }
            let message = try #require(gateway.transport.published.last)
            #expect(try Envelope(parsing: message.body).payload.description == #"{"n":1e400}"#)
            #expect(message.destination == .actor("b"))
        }
    }

    @Test(
        "a retry that no queue takes fails again, with what was to be sent, and can be retried",
        arguments: StoreKind.allCases)
    func unroutableRetry(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let transport = RecordingTransport()
            transport.fail(with: .init(.unroutable, "no queue")) { if case .actor = $0 { true } else { false } }
            let store = database.store
            let metrics = GatewayMetrics()
            let outbox = OutboxPublisher(
                store: store, transport: transport,
                settings: .init(
                    publishTimeout: .seconds(1), grace: .seconds(1), interval: .milliseconds(20), unroutableLimit: 1),
                metrics: metrics, spans: nil, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let running = Task { await outbox.run() }
            _ = try await store.submit(
                SubmissionRequest(route: ["a"], payload: .null, schedule: Schedule()).submission(id: "e"), grace: .zero)
            for replays in 0..<3 {
                try await eventually("it doesn't fail") { try await store.envelope("e")?.status == .failed }
                let known = try #require(try await store.retryable("e"))
                #expect(known.replays == replays)
                #expect(known.failed != nil)
                guard case .send(let envelope) = try Retry.plan(known, from: .failedStep, now: 0) else { return }
                _ = try await store.reopen(with: envelope, message: "again", grace: .zero)
            }
            outbox.stop()
            running.cancel()
            await running.value
        }
    }

    @Test("sidecars forget the cancellation before a cancelled envelope is sent", arguments: StoreKind.allCases)
    func cancelled(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            _ = try await client.post("/envelopes/e/cancel", "")
            let early = try await client.post("/envelopes/e/retry", #"{"from":"start"}"#)
            #expect(early.code == "not_retryable")
            #expect(early.headers["retry-after"] == "1")
            // error-end tells that the message has ended.
            _ = try await client.post(
                "/envelopes/e/final", #"{"status":"cancelled","actors":["a","b"],"current_actor_idx":0}"#)
            try await eventually("still being cancelled") {
                try await client.post("/envelopes/e/retry", #"{"from":"start"}"#).status == 202
            }
            try await eventually("not sent") { gateway.transport.published.count == 2 }
            #expect(gateway.transport.uncancelled == ["e"])
            for wrong in [#"{"from":"end"}"#, #"{"form":"start"}"#, "[]", #"{"from":1}"#] {
                #expect(try await client.post("/envelopes/e/retry", wrong).status == 400)
            }
            #expect(try await client.post("/envelopes/nobody/retry", "").status == 404)
        }
    }

    // MARK: Deleting

    @Test(
        "an envelope that has ended is deleted with its family and history; one that has not is not",
        arguments: StoreKind.allCases)
    func delete(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            _ = try await client.post("/envelopes", #"{"id":"e-1","parent_id":"e","actors":["b"]}"#)
            #expect(try await client.send("DELETE", "/envelopes/e").code == "not_ended")
            try await fail(client, "e")
            let alive = try await client.send("DELETE", "/envelopes/e")
            #expect(alive["detail"]?.string == "envelope 'e-1' has not ended; cancel 'e' first")
            try await fail(client, "e-1")
            #expect(try await client.send("DELETE", "/envelopes/e").status == 204)
            #expect(try await client.send("DELETE", "/envelopes/e").status == 404)
            for table in ["envelopes", "envelope_updates", "outbox", "cancellations"] {
                #expect(try await database.count("SELECT count(*) FROM \(table)") == 0, "\(table)")
            }
        }
    }

    @Test("what has ended long ago goes, in batches; what has not ended stays", arguments: StoreKind.allCases)
    func retention(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let days = (two: database.ago(.seconds(2 * 86_400)), three: database.ago(.seconds(3 * 86_400)))
            try await database.insert(3000)
            try await database.execute(
                """
                UPDATE envelopes SET
                    status = CASE WHEN CAST(substr(id, 2) AS integer) % 10 = 0 THEN 'running' ELSE 'succeeded' END,
                    created_at = \(days.three),
                    updated_at = CASE WHEN CAST(substr(id, 2) AS integer) % 2 = 0 THEN \(days.two) ELSE \(database.ago(.seconds(3600))) END
                """)
            for key in ["old", "new"] {
                var submission = try SubmissionRequest(route: ["a"], payload: .null, schedule: Schedule())
                    .submission(id: key)
                submission.key = IdempotencyKey(text: key, digest: "d")
                _ = try await database.store.submit([submission], grace: .zero)
            }
            try await database.execute("UPDATE idempotency_keys SET created_at = \(days.two) WHERE key = 'old'")
            let metrics = GatewayMetrics()
            let retention = Retention(
                store: database.store, age: .seconds(86_400), metrics: metrics,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let task = Task { await retention.run() }
            // Of 3,000: 1,500 old enough, 300 of them still at work.
            try await eventually("not deleted") {
                try await database.count("SELECT count(*) FROM envelopes") == 1802
            }
            #expect(try await database.texts("SELECT key FROM idempotency_keys") == ["new"])
            task.cancel()
            await task.value
            #expect(metrics.registry.exposition().contains("envelopes_deleted_total 1200"))
        }
    }
}
