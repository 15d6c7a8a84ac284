import Envelopes
import PostgreSQL
import Testing
import Transports

@testable import Gateways

@Suite("Envelopes that start later", .serialized)
struct StartTimeTests {
    private func body(_ id: String, _ more: String) -> String {
        #"{"id":"\#(id)","route":{"actors":["a"]},"payload":1,\#(more)}"#
    }

    private func milliseconds(since start: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - start) / .milliseconds(1)
    }

    @Test(
        "wait as pending, and are sent when their time has come, without waiting for the next look",
        arguments: StoreKind.allCases)
    func delay(kind: StoreKind) async throws {
        try await withGateway(kind) {
            $0.outboxInterval = .seconds(60)
        } _: { gateway, _ in
            let client = gateway.client
            let start = ContinuousClock.now
            let answer = try await client.post("/envelopes", body("e", #""delay_ms":1500,"timeout":"10s""#))
            #expect(answer.status == 202)
            let waiting = try await client.get("/envelopes/e")
            let time = try #require(waiting["not_before"]?.string)
            #expect(answer["not_before"]?.string == time)
            #expect(waiting["status"]?.string == "pending")
            #expect(waiting["message"]?.string == "Starts at \(time)")
            // The timeout counts from the start.
            let deadline = try #require(waiting["deadline"]?.string.flatMap(Timestamp.microseconds))
            #expect(deadline == Timestamp.microseconds(parsing: time).map { $0 + 10_000_000 })
            // One that starts sooner is not held up by it.
            _ = try await client.post("/envelopes", body("sooner", #""delay_ms":300"#))
            #expect(gateway.transport.published.isEmpty)
            try await eventually("the sooner one isn't sent") { gateway.transport.published.map(\.id) == ["sooner"] }
            #expect(milliseconds(since: start) < 1500)
            try await eventually("it isn't sent") { gateway.transport.published.map(\.id) == ["sooner", "e"] }
            #expect((1500..<2500).contains(milliseconds(since: start)))
            #expect(gateway.transport.messages(of: "e")[0].contains(#""deadline":""#))
            #expect(!gateway.transport.messages(of: "e")[0].contains("delay_ms"))

            #expect(try await client.get("/envelopes/e")["message"]?.string == "Sending envelope to first actor")
            _ = try await client.post("/envelopes/e/final", #"{"status":"succeeded"}"#)
            let events = await (try client.events("/envelopes/e/stream")).all()
            #expect(events.map { $0["status"]?.string } == ["pending", "running", "succeeded"])
        }
    }

    @Test("a time that has passed is no delay", arguments: StoreKind.allCases)
    func past(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", body("e", #""not_before":"2001-01-01T00:00:00Z""#))
            _ = try await gateway.client.post("/envelopes", body("f", #""delay_ms":0"#))
            try await eventually("not sent") { gateway.transport.published.count == 2 }
            #expect(try await gateway.client.get("/envelopes/e")["not_before"] == nil)
        }
    }

    @Test("outlive the gateway that has accepted them; several gateways send each once", arguments: StoreKind.allCases)
    func replicas(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let first = try await TestGateway.start(database.gateway)
            for number in 0..<60 {
                let answer = try await first.client.post("/envelopes", body("e\(number)", #""delay_ms":1200"#))
                #expect(answer.status == 202)
            }
            try await first.stop()
            #expect(first.transport.published.isEmpty)
            var others: [TestGateway] = []
            for _ in 0..<3 { others.append(try await TestGateway.start(database.gateway)) }
            try await eventually("not all were sent") { try await database.outboxLength() == 0 }
            let ids = others.flatMap { $0.transport.published.map(\.id) }
            #expect(ids.count == 60)
            #expect(Set(ids).count == 60)
            let sending = "SELECT count(*) FROM envelope_updates WHERE message = 'Sending envelope to first actor'"
            #expect(try await database.count(sending) == 60)
            for gateway in others { try await gateway.stop() }
        }
    }

    @Test("while the broker is away at their time they wait, and start once", arguments: StoreKind.allCases)
    func brokerAway(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            gateway.transport.fail(with: TransportError(.timeout, "away"))
            _ = try await gateway.client.post("/envelopes", body("e", #""delay_ms":100"#))
            try await eventually("no try") {
                try await gateway.client.get("/metrics").text.contains(#"outbox_failures_total{reason="timeout"} 1"#)
            }
            gateway.transport.fail(with: nil)
            try await eventually("not sent") { gateway.transport.published.count == 1 }
            _ = try await gateway.client.post("/envelopes/e/final", #"{"status":"succeeded"}"#)
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.map { $0["status"]?.string } == ["pending", "running", "succeeded"])
        }
    }

    @Test(
        "many at the same time are sent soon, and don't count as a jam while they wait", arguments: StoreKind.allCases)
    func burst(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let schedule = try Schedule([.init(name: "delay_ms", value: RawJSON(integer: 100_000))])
            let submissions = try (1...2000).map {
                try SubmissionRequest(route: ["a"], payload: .null, schedule: schedule).submission(id: "e\($0)")
            }
            _ = try await database.store.submit(submissions, grace: .zero)
            let text = try await gateway.client.get("/metrics").text
            #expect(text.contains("troupe_gateway_outbox_messages 0\n"))
            try await database.execute("UPDATE envelopes SET not_before = \(database.ago(.zero))")
            try await database.execute("UPDATE outbox SET due_at = \(database.ago(.zero))")
            try await eventually("not all were sent") { gateway.transport.published.count >= 2000 }
            #expect(Set(gateway.transport.published.map(\.id)).count == 2000)
            try await eventually("rows stay") { try await database.outboxLength() == 0 }
        }
    }
}

@Suite("Alarm")
struct AlarmTests {
    @Test("wakes at the earliest time that anybody wants, whenever it was said")
    func earliest() async {
        let alarm = Alarm()
        await alarm.ring(after: .milliseconds(200))
        await alarm.ring(after: .seconds(50))
        let start = ContinuousClock.now
        async let rung: Void = {
            try? await Task.sleep(for: .milliseconds(50))
            await alarm.ring(after: .milliseconds(10))
        }()
        await alarm.sleep(for: .seconds(30))
        await rung
        #expect(ContinuousClock.now - start < .milliseconds(190))
    }

    @Test("a cancelled sleeper sleeps no more")
    func cancelled() async {
        let task = Task { await Alarm().sleep(for: .seconds(60)) }
        task.cancel()
        let start = ContinuousClock.now
        await task.value
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
