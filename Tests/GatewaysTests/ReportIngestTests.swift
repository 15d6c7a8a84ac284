import Envelopes
import PostgreSQL
import Testing

@testable import Gateways

@Suite("Reports over the broker", .serialized)
struct ReportIngestTests {
    private func report(
        _ kind: StatusReport.Kind, _ id: String, _ status: String, at index: Int = 0, event: String,
        parent: String? = nil
    ) -> StatusReport {
        StatusReport(
            kind: kind, eventID: event, envelopeID: id, parentID: parent, status: status, actors: ["a", "b"],
            currentActorIndex: index,
            result: kind == .final ? RawJSON(integer: 42) : nil)
    }

    @Test("take an envelope to its end, each counted once", arguments: StoreKind.allCases)
    func life(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            let reports = [
                report(.progress, "e", "received", event: "1"), report(.progress, "e", "received", event: "1"),
                report(.progress, "e", "processing", event: "2"),
                report(.progress, "e", "completed", at: 1, event: "3"),
                report(.final, "e", "succeeded", at: 2, event: "4"),
                report(.final, "e", "succeeded", at: 2, event: "4"),
                report(.progress, "nobody", "received", event: "1"),
            ]
            for report in reports { gateway.transport.report(report) }
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == reports.count }
            let envelope = try await gateway.client.get("/envelopes/e")
            #expect(envelope["status"]?.string == "succeeded")
            #expect(envelope["result"]?.integer == 42)
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.map { $0["envelope_state"]?.string } == [nil, "received", "processing", "completed", nil])
            #expect(try await gateway.client.get("/envelopes/nobody").status == 404)
        }
    }

    @Test("show attempts, and when the next one begins, until it does", arguments: StoreKind.allCases)
    func attempts(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            var retrying = report(.progress, "e", "retrying", event: "1")
            retrying.attempt = 3
            retrying.nextAttemptAt = "2031-01-02T03:04:05Z"
            gateway.transport.report(retrying)
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 1 }
            let waiting = try await gateway.client.get("/envelopes/e")
            #expect(waiting["status"]?.string == "retrying")
            #expect(waiting["attempt"]?.integer == 3)
            #expect(waiting["next_attempt_at"]?.string == "2031-01-02T03:04:05.000000Z")
            var received = report(.progress, "e", "received", event: "2")
            received.attempt = 4
            gateway.transport.report(received)
            gateway.transport.report(report(.final, "e", "succeeded", at: 2, event: "3"))
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.map { $0["attempt"]?.integer } == [nil, 3, 4, nil])
            #expect(events[1]["next_attempt_at"]?.string == "2031-01-02T03:04:05.000000Z")
            #expect(events[2]["next_attempt_at"] == nil)
            let ended = try await gateway.client.get("/envelopes/e")
            #expect(ended["attempt"]?.integer == 4)
            #expect(ended["next_attempt_at"] == nil)
        }
    }

    @Test("make children known, in whatever order they come", arguments: StoreKind.allCases)
    func children(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            gateway.transport.report(report(.final, "p-2", "succeeded", at: 2, event: "9", parent: "p"))
            gateway.transport.report(report(.created, "p-1", "pending", at: 1, event: "1", parent: "p"))
            gateway.transport.report(report(.created, "p-2", "pending", at: 1, event: "2", parent: "p"))
            gateway.transport.report(report(.created, "p-1", "pending", at: 1, event: "1", parent: "p"))
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == 4 }
            let list = try #require(try await gateway.client.get("/envelopes?parent=p")["envelopes"]).elements
            let statuses = Dictionary(
                uniqueKeysWithValues: list.map { ($0["id"]?.string ?? "", $0["status"]?.string ?? "") })
            #expect(statuses == ["p-1": "pending", "p-2": "succeeded"])
        }
    }

    @Test("what can't be read is acknowledged and holds nobody up", arguments: StoreKind.allCases)
    func unreadable(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            let bodies = [
                "", "{", "[]", "{}", #"{"kind":"progress"}"#, #"{"kind":"nothing","id":"e","status":"received"}"#,
                #"{"kind":"progress","id":"","status":"received"}"#, #"{"kind":"progress","id":"e","status":"lost"}"#,
                #"{"kind":"created","id":"c","status":"pending"}"#, #"{"kind":"final","id":7,"status":"failed"}"#,
                #"{"kind":"progress","id":"e\u0000","status":"received"}"#,
            ]
            for body in bodies { gateway.transport.report(Array(body.utf8)) }
            gateway.transport.report([0xFF, 0x00])
            gateway.transport.report(report(.progress, "e", "received", event: "\u{0}"))
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == bodies.count + 2 }
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "running")
        }
    }

    /// The database takes no update of an envelope whose id is that of an SQLSTATE.
    private func refuse(_ states: [String], _ database: TestDatabase) async throws {
        let list = states.map { "'\($0)'" }.joined(separator: ",")
        try await database.pool.query(
            """
            CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.envelope_id IN (\(list)) AND NEW.event_id IS NOT NULL THEN
                    RAISE EXCEPTION 'no' USING ERRCODE = NEW.envelope_id;
                END IF;
                RETURN NEW;
            END $$
            """)
    }

    @Test("only what the database will never take is dropped; the rest waits for it, and is not held up by the former")
    func refused() async throws {
        try await withGateway { gateway, database in
            // A value, a constraint, a limit; a missing right, a missing table, a full disk.
            let dropped = ["22P02", "23514", "54000"]
            let waiting = ["42501", "42P01", "53100"]
            for id in dropped + waiting + ["good"] {
                _ = try await gateway.client.post(
                    "/envelopes", #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1}"#)
            }
            try await refuse(dropped + waiting, database)
            try await database.pool.query(
                "CREATE TRIGGER refuse BEFORE INSERT ON envelope_updates FOR EACH ROW EXECUTE FUNCTION refuse()")
            for id in dropped + ["good"] {
                gateway.transport.report(report(.final, id, "succeeded", at: 2, event: "1"))
            }
            try await eventually("it is held up") {
                try await gateway.client.get("/envelopes/good")["status"]?.string == "succeeded"
            }
            // Apart from those: which row of a batch the database refuses first is its own choice.
            for id in waiting { gateway.transport.report(report(.final, id, "succeeded", at: 2, event: "1")) }
            try await Task.sleep(for: .milliseconds(500))
            for id in waiting {
                #expect(try await gateway.client.get("/envelopes/\(id)")["status"]?.string == "pending")
            }

            try await refuse(dropped, database)
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == 7 }
            for id in waiting {
                #expect(try await gateway.client.get("/envelopes/\(id)")["status"]?.string == "succeeded")
            }
            #expect(
                try await gateway.client.get("/metrics").text.contains(
                    #"troupe_gateway_status_reports_total{outcome="invalid"} 3"#))
        }
    }

    @Test("as deep as any sidecar may be set to take", arguments: StoreKind.allCases)
    func deep(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            let levels = 2000
            var deep = report(.final, "e", "succeeded", at: 2, event: "1")
            deep.result = try RawJSON(
                Array((String(repeating: "[", count: levels) + String(repeating: "]", count: levels)).utf8),
                limits: .ofBroker)
            gateway.transport.report(deep)
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 1 }
            #expect(try await gateway.client.get("/envelopes/e").text.contains(String(repeating: "[", count: levels)))
        }
    }

    @Test("thousands are taken in batches", arguments: StoreKind.allCases)
    func many(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            for number in 0..<20 {
                _ = try await gateway.client.post(
                    "/envelopes", #"{"id":"e\#(number)","route":{"actors":["a","b"]},"payload":1}"#)
            }
            for step in 0..<100 {
                for number in 0..<20 {
                    gateway.transport.report(report(.progress, "e\(number)", "processing", event: "\(step)"))
                }
            }
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == 2000 }
            #expect(try await database.count("SELECT count(*) FROM envelope_updates") == 2020)
        }
    }
}
