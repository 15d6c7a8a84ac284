import Envelopes
import PostgreSQL
import Testing
import Transports

@testable import Gateways

@Suite("Deadlines", .serialized)
struct DeadlineTests {
    private func body(_ id: String, _ more: String) -> String {
        #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1,\#(more)}"#
    }

    @Test("an envelope that nobody ends in time fails, and isn't sent any more")
    func overdue() async throws {
        try await withGateway {
            $0.deadlineGrace = .milliseconds(100)
        } _: { gateway, database in
            gateway.transport.fail(with: TransportError(.timeout, "away"))
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
            #expect(try await database.outboxLength() == 1)
            let metrics = try await gateway.client.get("/metrics").text
            #expect(metrics.contains("troupe_gateway_envelopes_overdue_total 2\n"))
            #expect(metrics.contains(#"envelopes_finished_total{status="failed"} 2"#))
        }
    }

    @Test("actors get the grace to say it themselves")
    func grace() async throws {
        try await withGateway { gateway, _ in
            _ = try await gateway.client.post("/envelopes", body("e", #""timeout":"100ms""#))
            try await Task.sleep(for: .milliseconds(1500))
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "pending")
            let final = #"{"status":"failed","error":"deadline_exceeded: said by an actor"}"#
            _ = try await gateway.client.post("/envelopes/e/final", final)
            #expect(
                try await gateway.client.get("/envelopes/e")["error"]?.string == "deadline_exceeded: said by an actor")
        }
    }

    @Test("many are failed once, by whichever gateways; one that is just being changed has its turn later")
    func many() async throws {
        try await withDatabase { database in
            try await database.pool.query(
                """
                INSERT INTO envelopes (id, route_actors, deadline, status)
                SELECT 'e' || n, '{a}', now() - interval '1 hour', CASE n WHEN 1001 THEN 'succeeded' ELSE 'running' END
                FROM generate_series(1, 1001) n
                """)
            let store = database.store
            try await database.pool.withConnection { connection in
                try await connection.withTransaction { connection in
                    try await connection.query("SELECT FROM envelopes WHERE id = 'e7' FOR UPDATE")
                    let count = try await withThrowingTaskGroup(of: Int.self) { group in
                        for _ in 0..<3 {
                            group.addTask {
                                var total = 0
                                while case let count = try await store.failOverdue(grace: .zero, limit: 64), count > 0 {
                                    total += count
                                }
                                return total
                            }
                        }
                        return try await group.reduce(0, +)
                    }
                    #expect(count == 999)
                }
            }
            #expect(try await store.failOverdue(grace: .zero, limit: 64) == 1)
            let rows = try await database.pool.query(
                "SELECT count(*), count(DISTINCT envelope_id) FROM envelope_updates WHERE status = 'failed'")
            #expect(try rows[0].integer(0) == 1000)
            #expect(try rows[0].integer(1) == 1000)
            #expect(try await store.envelope("e1001")?.status == .succeeded)
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
                WHERE deadline < now() AND status NOT IN \(EnvelopeStatus.finalList) ORDER BY deadline LIMIT 256
                """)
            #expect(try plan.map { try $0.string(0) }.joined().contains("envelopes_by_deadline"))
        }
    }
}
