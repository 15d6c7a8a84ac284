import Envelopes
import PostgreSQL
import Testing
import Transports

@testable import Gateways

@Suite("Outbox", .serialized)
struct OutboxTests {
    private let body = #"{"id":"e","route":{"actors":["a"]},"payload":{"n": 1e400}}"#

    @Test("a confirmed message leaves the outbox", arguments: StoreKind.allCases)
    func confirmed(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            _ = try await gateway.client.post("/envelopes", body)
            try await eventually("the row stays") { try await database.outboxLength() == 0 }
            #expect(gateway.transport.published.count == 1)
        }
    }

    @Test("what a crash left behind is sent, byte for byte the same", arguments: StoreKind.allCases)
    func crash(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            // A gateway that wrote, answered, and was killed.
            let request = try SubmissionRequest(RawJSON(Array(body.utf8)).members)
            let submission = try request.submission()
            _ = try await database.store.submit(submission, grace: .milliseconds(200))
            let gateway = try await TestGateway.start(database.gateway)
            try await eventually("nothing was sent") { gateway.transport.published.count == 1 }
            #expect(gateway.transport.published[0].body == submission.message)
            #expect(gateway.transport.published[0].destination == .actor("a"))
            try await eventually("the row stays") { try await database.outboxLength() == 0 }
            try await gateway.stop()
        }
    }

    @Test("while the broker is away envelopes are accepted, and sent when it is back", arguments: StoreKind.allCases)
    func brokerAway(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            gateway.transport.fail(with: TransportError(.timeout, "away"))
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            try await eventually("no try") {
                try await gateway.client.get("/metrics").text.contains(#"outbox_failures_total{reason="timeout"} 1"#)
            }
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "pending")
            gateway.transport.fail(with: nil)
            try await eventually("not sent") { gateway.transport.published.count == 1 }
            try await eventually("the row stays") { try await database.outboxLength() == 0 }
        }
    }

    @Test(
        "an actor without a queue fails the envelope, with the reason, after some tries", arguments: StoreKind.allCases)
    func unroutable(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            gateway.transport.fail(with: TransportError(.unroutable, "no queue"))
            _ = try await gateway.client.post("/envelopes", body)
            try await eventually("it doesn't fail") {
                // The waits between tries are not what is tested here.
                try await database.execute("UPDATE outbox SET due_at = \(database.ago(.zero))")
                return try await gateway.client.get("/envelopes/e")["status"]?.string == "failed"
            }
            let envelope = try await gateway.client.get("/envelopes/e")
            #expect(envelope["error"]?.string == "no queue for actor 'a': is it deployed, and its name right?")
            try await eventually("the row stays") { try await database.outboxLength() == 0 }
        }
    }

    @Test("two gateways share what is left behind: each message once", arguments: StoreKind.allCases)
    func sharing(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            for number in 0..<100 {
                let submission = try SubmissionRequest(route: ["a"], payload: .null, schedule: Schedule()).submission(
                    id: "e\(number)")
                _ = try await database.store.submit(submission, grace: .zero)
            }
            let transport = RecordingTransport()
            let other = RecordingTransport()
            async let first = TestGateway.start(database.gateway, transport: transport)
            async let second = TestGateway.start(database.gateway, transport: other)
            let gateways = try await [first, second]
            try await eventually("not all were sent") { try await database.outboxLength() == 0 }
            let ids = (transport.published + other.published).map(\.id)
            #expect(ids.count == 100)
            #expect(Set(ids).count == 100)
            for gateway in gateways { try await gateway.stop() }
        }
    }

    @Test("what an actor has reported on isn't sent again", arguments: StoreKind.allCases)
    func arrived(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let submission = try SubmissionRequest(route: ["a"], payload: .null, schedule: Schedule()).submission(
                id: "e")
            _ = try await database.store.submit(submission, grace: .zero)
            let report = StatusReport(
                kind: .progress, eventID: "1", envelopeID: "e", status: "received", actors: ["a"], currentActorIndex: 0)
            _ = try await database.store.apply([EnvelopeChange(report)])
            let gateway = try await TestGateway.start(database.gateway)
            try await eventually("the row stays") { try await database.outboxLength() == 0 }
            #expect(gateway.transport.published.isEmpty)
            try await gateway.stop()
        }
    }

    @Test("shutting down sends what was accepted", arguments: StoreKind.allCases)
    func shutdown(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let gateway = try await TestGateway.start(database.gateway)
            for number in 0..<50 {
                _ = try await gateway.client.post(
                    "/envelopes", #"{"id":"e\#(number)","route":{"actors":["a"]},"payload":1}"#)
            }
            try await gateway.stop()
            #expect(Set(gateway.transport.published.map(\.id)).count == 50)
            #expect(try await database.outboxLength() == 0)
        }
    }
}
