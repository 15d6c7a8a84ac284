import Envelopes
import Logging
import PostgreSQL
import Testing
import Transports

@testable import Gateways

@Suite("Deadlines", .serialized)
struct DeadlineTests {
    private func body(_ id: String, _ more: String) -> String {
        #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1,\#(more)}"#
    }

    @Test("an envelope that nobody ends in time fails, and isn't sent any more", arguments: StoreKind.allCases)
    func overdue(kind: StoreKind) async throws {
        try await withGateway(kind) {
            $0.deadlineGrace = .milliseconds(100)
        } _: { gateway, database in
            gateway.transport.fail(with: TransportError(.timeout, "away")) { $0 == .actor("a") }
            _ = try await gateway.client.post("/envelopes", body("e", #""timeout":"400ms""#))
            _ = try await gateway.client.post("/envelopes", body("later", #""delay_ms":100,"timeout":0.3"#))
            _ = try await gateway.client.post("/envelopes", body("far", #""timeout":"1h""#))
            let stream = try await gateway.client.events("/envelopes/e/stream")
            #expect(await stream.all().map { $0["status"]?.string } == ["running", "failed"])
            let envelope = try await gateway.client.get("/envelopes/e")
            #expect(envelope["error"]?.string == "deadline_exceeded")
            #expect(envelope["message"]?.string == "Envelope failed at actor 'a': deadline_exceeded")
            #expect(envelope["progress_percent"]?.integer == 100)
            try await eventually("it isn't failed") {
                try await gateway.client.get("/envelopes/later")["error"]?.string == "deadline_exceeded"
            }
            #expect(try await gateway.client.get("/envelopes/far")["status"]?.string == "pending")
            try await eventually("they may still be sent") { try await database.outboxLength() == 1 }
            let metrics = try await gateway.client.get("/metrics").text
            #expect(metrics.contains("troupe_gateway_envelopes_overdue_total 2\n"))
            #expect(metrics.contains(#"envelopes_finished_total{status="failed"} 2"#))
        }
    }

    @Test("actors get the grace to say it themselves", arguments: StoreKind.allCases)
    func grace(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", body("e", #""timeout":"100ms""#))
            try await Task.sleep(for: .milliseconds(1500))
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "pending")
            let final = #"{"status":"failed","error":"deadline_exceeded: said by an actor"}"#
            _ = try await gateway.client.post("/envelopes/e/final", final)
            #expect(
                try await gateway.client.get("/envelopes/e")["error"]?.string == "deadline_exceeded: said by an actor")
        }
    }

    private func sweep(_ database: any TestStore, _ transport: RecordingTransport) -> DeadlineSweep {
        DeadlineSweep(
            store: database.store, transport: transport, grace: .zero,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func insertOverdue(_ count: Int, _ database: any TestStore) async throws {
        try await database.insert(count)
        let deadline = database.later(nil, by: .seconds(-1), times: "CAST(substr(id, 2) AS integer) / 4")
        try await database.execute("UPDATE envelopes SET status = 'running', deadline = \(deadline)")
    }

    @Test("an end that waits in the broker comes before that of the deadline", arguments: StoreKind.allCases)
    func endsThatWait(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            try await insertOverdue(2, database)
            let transport = RecordingTransport()
            transport.report(
                StatusReport(
                    kind: .final, eventID: "1", envelopeID: "e1", status: "succeeded", actors: ["a"],
                    currentActorIndex: 1))
            // The gateway that takes reports in is still away.
            let sweeping = Task { await sweep(database, transport).run() }
            try await eventually("not reported") { transport.reports.count == 2 }
            sweeping.cancel()
            await sweeping.value
            #expect(try await database.store.envelope("e1")?.status == .running)

            let gateway = try await TestGateway.start(database.gateway, transport: transport)
            try await eventually("not all are acknowledged") { transport.acknowledgedCount >= 3 }
            #expect(try await gateway.client.get("/envelopes/e1")["status"]?.string == "succeeded")
            #expect(try await gateway.client.get("/envelopes/e2")["error"]?.string == "deadline_exceeded")
            #expect(
                try await gateway.client.get("/metrics").text.contains("troupe_gateway_envelopes_overdue_total 1\n"))
            try await gateway.stop()
        }
    }

    @Test("while the broker is away nothing is failed; when it is back, all are", arguments: StoreKind.allCases)
    func brokerAway(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let transport = RecordingTransport()
            transport.fail(with: TransportError(.timeout, "away"))
            try await insertOverdue(300, database)
            let gateway = try await TestGateway.start(database.gateway, transport: transport) {
                $0.deadlineGrace = .zero
            }
            try await Task.sleep(for: .milliseconds(1200))
            #expect(try await database.store.overdue(grace: .zero, limit: 1000).count == 300)
            transport.fail(with: nil)
            try await eventually("they are not failed") {
                try await database.store.overdue(grace: .zero, limit: 1000).isEmpty
            }
            try await gateway.stop()
        }
    }

    @Test("many are reported once by each gateway, and fail once", arguments: StoreKind.allCases)
    func many(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            try await insertOverdue(1000, database)
            let transport = RecordingTransport()
            let sweeps = (0..<2).map { _ in Task { await sweep(database, transport).run() } }
            try await eventually("not all are reported") { transport.reports.count >= 2000 }
            // Nobody has written them, and the next looks come.
            try await Task.sleep(for: .milliseconds(2200))
            for sweep in sweeps { sweep.cancel() }
            #expect(transport.reports.count == 2000)
            #expect(Set(transport.reports.map(\.eventID)).count == 1000)

            let gateway = try await TestGateway.start(database.gateway, transport: transport)
            try await eventually("not all are acknowledged") { transport.acknowledgedCount >= 2000 }
            let failed = try await database.texts("SELECT envelope_id FROM envelope_updates WHERE status = 'failed'")
            #expect(failed.count == 1000)
            #expect(Set(failed).count == 1000)
            try await gateway.stop()
        }
    }

    @Test("the look for them reads an index that holds nothing else")
    func cheap() async throws {
        try await withDatabase { database in
            try await database.pool.query(
                """
                INSERT INTO envelopes (id, route_actors, deadline, status)
                SELECT 'e' || n, '{a}', now() - interval '1 hour', 'succeeded' FROM generate_series(1, 20000) n
                """)
            try await database.pool.query("ANALYZE envelopes")
            let plan = try await database.pool.query(
                """
                EXPLAIN SELECT id FROM envelopes
                WHERE deadline < now() AND status NOT IN \(EnvelopeStatus.finalList)
                  AND deadline >= '1970-01-01Z' AND (deadline, id) > ('1970-01-01Z', '') ORDER BY deadline, id LIMIT 256
                """)
            #expect(try plan.map { try $0.string(0) }.joined().contains("envelopes_by_deadline"))
        }
    }
}
