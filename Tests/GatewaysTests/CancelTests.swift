import Envelopes
import PostgreSQL
import Testing
import Transports

@testable import Gateways

@Suite("Cancelling", .serialized)
struct CancelTests {
    private func submit(_ gateway: TestGateway, _ id: String, _ more: String = "") async throws {
        let body = #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1\#(more)}"#
        #expect(try await gateway.client.post("/envelopes", body).status == 202)
    }

    private func cancel(_ gateway: TestGateway, _ id: String) async throws -> TestClient.Answer {
        try await gateway.client.send("POST", "/envelopes/\(id)/cancel")
    }

    private func statuses(_ database: any TestStore) async throws -> [String: String] {
        let rows = try await database.texts("SELECT id || ' ' || status FROM envelopes").map {
            $0.split(separator: " ")
        }
        return Dictionary(uniqueKeysWithValues: rows.map { (String($0[0]), String($0[1])) })
    }

    private func cancellations(_ database: any TestStore) async throws -> Set<String> {
        Set(try await database.texts("SELECT envelope_id FROM cancellations"))
    }

    private func child(_ id: String, of parent: String) -> FanOutChild {
        FanOutChild(id: id, parentID: parent, actors: ["a", "b"], actorIndex: 1)
    }

    private func report(
        _ kind: StatusReport.Kind, _ id: String, _ status: String, event: String, parent: String? = nil
    ) -> StatusReport {
        StatusReport(
            kind: kind, eventID: event, envelopeID: id, parentID: parent, status: status, actors: ["a", "b"],
            currentActorIndex: 1)
    }

    @Test("ends an envelope at once, its stream with it, and tells all sidecars", arguments: StoreKind.allCases)
    func cancel(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway, "e")
            let stream = try await gateway.client.events("/envelopes/e/stream")
            gateway.transport.report(report(.progress, "e", "processing", event: "1"))
            try await eventually("not running") {
                try await gateway.client.get("/envelopes/e")["status"]?.string == "running"
            }
            let answer = try await cancel(gateway, "e")
            #expect(answer.status == 200)
            #expect(answer["id"]?.string == "e")
            #expect(answer["status"]?.string == "cancelled")
            #expect(answer["message"]?.string == "Envelope cancelled")
            #expect(await stream.all().map { $0["status"]?.string } == ["running", "running", "cancelled"])
            try await eventually("nobody was told") { gateway.transport.cancellations() == [["e"]] }

            #expect(try await cancel(gateway, "e").text == answer.text)
            #expect(try await gateway.client.get("/envelopes/e/active").status == 410)
            // What the sidecar says in the end changes nothing, but it was the last of it.
            gateway.transport.report(report(.final, "e", "cancelled", event: "2"))
            try await eventually("it is still kept in mind") { try await cancellations(database).isEmpty }
            #expect(try await gateway.client.get("/envelopes/e").text == answer.text)
            let metrics = try await gateway.client.get("/metrics").text
            #expect(metrics.contains(#"envelopes_finished_total{status="cancelled"} 1"#))
            #expect(metrics.contains("troupe_gateway_cancellations_announced_total 1\n"))
        }
    }

    @Test("is refused for what has ended otherwise, and for what isn't there", arguments: StoreKind.allCases)
    func refused(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            for status in ["succeeded", "failed"] {
                try await submit(gateway, status)
                _ = try await gateway.client.post("/envelopes/\(status)/final", #"{"status":"\#(status)"}"#)
                let answer = try await cancel(gateway, status)
                #expect(answer.status == 409)
                #expect(answer.code == "already_ended")
            }
            let unknown = try await cancel(gateway, "nobody")
            #expect(unknown.status == 404)
            #expect(unknown.code == "unknown_envelope")
            #expect(try await gateway.client.get("/envelopes/e/cancel").status == 405)
            #expect(try await cancellations(database).isEmpty)
        }
    }

    @Test("takes all that has come out of it by fan-out, as far as it hasn't ended", arguments: StoreKind.allCases)
    func family(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway, "p")
            try await submit(gateway, "other")
            _ = try await database.store.register([
                child("p-1", of: "p"), child("p-2", of: "p"), child("p-1-1", of: "p-1"), child("p-2-1", of: "p-2"),
            ])
            for id in ["p-2", "p-1-1"] {
                _ = try await gateway.client.post("/envelopes/\(id)/final", #"{"status":"succeeded"}"#)
            }
            #expect(try await cancel(gateway, "p").status == 200)
            #expect(
                try await statuses(database) == [
                    "p": "cancelled", "p-1": "cancelled", "p-1-1": "succeeded", "p-2": "succeeded",
                    "p-2-1": "cancelled", "other": "pending",
                ])
            let told: Set = ["p", "p-1", "p-2-1"]
            #expect(try await cancellations(database) == told)
            try await eventually("not all were told") { Set(gateway.transport.cancellations().joined()) == told }
            let grandchild = try await gateway.client.get("/envelopes/p-2-1")
            #expect(grandchild["message"]?.string == "Cancelled with p")
            let events = await (try gateway.client.events("/envelopes/p-2-1/stream")).all()
            #expect(events.map { $0["status"]?.string } == ["pending", "cancelled"])
        }
    }

    @Test("ends also where envelopes name each other as parents", arguments: StoreKind.allCases)
    func cycle(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            _ = try await database.store.register([child("a", of: "b"), child("b", of: "a"), child("c", of: "c")])
            #expect(try await cancel(gateway, "a").status == 200)
            #expect(try await cancel(gateway, "c").status == 200)
            #expect(try await statuses(database) == ["a": "cancelled", "b": "cancelled", "c": "cancelled"])
        }
    }

    @Test(
        "children that become known only later are cancelled at once, and their children, and sidecars told",
        arguments: StoreKind.allCases)
    func lateChildren(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway, "p")
            _ = try await cancel(gateway, "p")
            // In one batch, as after an outage.
            gateway.transport.report(report(.created, "p-1", "pending", event: "1", parent: "p"))
            gateway.transport.report(report(.created, "p-1-1", "pending", event: "1", parent: "p-1"))
            // Its birth is told only after its first step.
            gateway.transport.report(report(.progress, "p-2", "received", event: "1", parent: "p"))
            gateway.transport.report(report(.created, "p-2", "pending", event: "2", parent: "p"))
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == 4 }
            #expect(Set(try await statuses(database).values) == ["cancelled"])
            let told: Set = ["p", "p-1", "p-1-1", "p-2"]
            try await eventually("not all were told") { Set(gateway.transport.cancellations().joined()) == told }
            let answer = try await gateway.client.post("/envelopes", #"{"id":"p-3","parent_id":"p"}"#)
            #expect(answer.status == 201)
            #expect(try await gateway.client.get("/envelopes/p-3")["status"]?.string == "cancelled")
        }
    }

    @Test("no child slips through whose registration is under way at the moment")
    func race() async throws {
        try await withDatabase { database in
            let store = database.store
            _ = try await store.submit(
                SubmissionRequest(route: ["a"], payload: .null, schedule: Schedule()).submission(id: "p"), grace: .zero)
            let cancelling = try await database.pool.withConnection { connection in
                try await connection.withTransaction { connection in
                    try await connection.query(
                        PostgreSQLEnvelopeStore.registerSQL, store.registerParameters([self.child("p-1", of: "p")]))
                    let cancelling = Task { try await store.cancel("p") }
                    // It has looked, and waits: it can't have seen the child.
                    try await Task.sleep(for: .milliseconds(300))
                    return cancelling
                }
            }
            #expect(try await cancelling.value == 2)
            #expect(try await statuses(database) == ["p": "cancelled", "p-1": "cancelled"])
        }
    }

    @Test("what waits for its start never starts, and no sidecar needs to hear of it", arguments: StoreKind.allCases)
    func waiting(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway, "e", #","delay_ms":300"#)
            #expect(try await cancel(gateway, "e")["status"]?.string == "cancelled")
            #expect(try await database.outboxLength() == 0)
            #expect(try await cancellations(database).isEmpty)
            try await Task.sleep(for: .milliseconds(600))
            #expect(gateway.transport.published.isEmpty)
        }
    }

    @Test(
        "while the broker is away it is done at once, and told when it is back, whichever gateway lives then",
        arguments: StoreKind.allCases)
    func brokerAway(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let gateway = try await TestGateway.start(database.gateway)
            gateway.transport.fail(with: TransportError(.timeout, "away"))
            try await submit(gateway, "e")
            #expect(try await cancel(gateway, "e").status == 200)
            #expect(try await database.outboxLength() == 0)
            try await Task.sleep(for: .milliseconds(300))
            #expect(gateway.transport.cancellations().isEmpty)
            try await submit(gateway, "f")
            gateway.transport.fail(with: nil)
            #expect(try await cancel(gateway, "f").status == 200)
            try await eventually("it was forgotten") { Set(gateway.transport.cancellations().joined()) == ["e", "f"] }

            gateway.transport.fail(with: TransportError(.timeout, "away"))
            try await submit(gateway, "g")
            #expect(try await cancel(gateway, "g").status == 200)
            try await gateway.stop()
            let next = try await TestGateway.start(database.gateway)
            try await eventually("it was forgotten") { next.transport.cancellations() == [["g"]] }
            try await next.stop()
        }
    }

    @Test(
        "whoever still reports on it is told again, not each time; a dead end is told no more",
        arguments: StoreKind.allCases)
    func toldAgain(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway, "e")
            _ = try await cancel(gateway, "e")
            try await eventually("nobody was told") { gateway.transport.cancellations().count == 1 }
            for number in 0..<5 { gateway.transport.report(report(.progress, "e", "received", event: "\(number)")) }
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 5 }
            try await Task.sleep(for: .milliseconds(200))
            #expect(gateway.transport.cancellations().count == 1)

            try await database.execute("UPDATE cancellations SET announced_at = \(database.ago(.seconds(6)))")
            for number in 5..<10 { gateway.transport.report(report(.progress, "e", "received", event: "\(number)")) }
            try await eventually("not told again") { gateway.transport.cancellations() == [["e"], ["e"]] }

            // Forgotten, but a second copy of the message lives on.
            gateway.transport.report(report(.final, "e", "cancelled", event: "f"))
            try await eventually("it is still kept in mind") { try await cancellations(database).isEmpty }
            _ = try await gateway.client.post("/envelopes/e/progress", #"{"status":"received"}"#)
            try await eventually("not told again") { gateway.transport.cancellations().count == 3 }
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "cancelled")
        }
    }

    @Test("many at once are told in messages of 500; rows of 60 days and older go", arguments: StoreKind.allCases)
    func many(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            try await database.insert(1, prefix: "p")
            try await database.insert(1200, prefix: "p1-", parent: "p1")
            try await database.insert(1, prefix: "old")
            try await database.execute("UPDATE envelopes SET status = 'cancelled' WHERE id = 'old1'")
            let longAgo = database.ago(.seconds(61 * 86_400))
            try await database.execute("INSERT INTO cancellations VALUES ('old1', \(longAgo), \(longAgo))")
            let gateway = try await TestGateway.start(database.gateway)
            #expect(try await cancel(gateway, "p1").status == 200)
            try await eventually("not all were told") {
                Set(gateway.transport.cancellations().joined()).count == 1201
            }
            #expect(gateway.transport.cancellations().map(\.count) == [500, 500, 201])
            try await eventually("the old row stays") { try await !cancellations(database).contains("old1") }
            try await gateway.stop()
        }
    }

    // MARK: Sidecars that start

    @Test(
        "a sidecar that starts is told what is in force, and told also when that is nothing",
        arguments: StoreKind.allCases)
    func requests(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            func ask(_ inbox: String) {
                let request = ControlRequest(actor: "a", inbox: inbox)
                gateway.transport.deliver(request.encoded(), from: .controlRequests)
            }
            ask("first")
            try await eventually("no answer") { gateway.transport.cancellations(to: .controlInbox("first")) == [[]] }

            try await database.insert(10_100)
            try await database.execute("UPDATE envelopes SET status = 'cancelled'")
            try await database.execute(
                """
                INSERT INTO cancellations
                SELECT 'e' || n, \(database.later(nil, by: .seconds(-60), times: "n")), \(database.later(by: .zero))
                FROM \(database.numbers(1...10_100))
                """)
            gateway.transport.deliver(Array("nonsense".utf8), from: .controlRequests)
            ask("second")
            ask("third")
            try await eventually("not all are acknowledged") { gateway.transport.acknowledgedCount == 4 }
            for inbox in ["second", "third"] {
                let answers = gateway.transport.cancellations(to: .controlInbox(inbox))
                #expect(answers.count == 20)
                #expect(answers.allSatisfy { $0.count == 500 })
                #expect(Set(answers.joined()) == Set((1...10_000).map { "e\($0)" }))
            }
            let metrics = try await gateway.client.get("/metrics").text
            #expect(metrics.contains("troupe_gateway_control_requests_answered_total 3\n"))
        }
    }
}
