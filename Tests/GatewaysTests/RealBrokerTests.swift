import Envelopes
import PostgreSQL
import Testing
import Transports

@testable import Gateways

/// The gateway's program on the real broker, with the test in the place of a sidecar.
@Suite("On the real broker", .serialized)
struct RealBrokerTests {
    /// What a sidecar hears in its inbox.
    private struct Inbox {
        let name: String
        let broker: TestBroker
        let messages: DeliveryStream.Iterator

        init(_ name: String, _ broker: TestBroker) async {
            (self.name, self.broker) = (name, broker)
            await broker.transport.declare(.control(inbox: name))
            messages = await broker.transport.deliveries(from: .control(inbox: name), prefetch: 10).makeAsyncIterator()
        }

        func ask() async throws {
            let request = ControlRequest(actor: "a", inbox: name)
            try await broker.transport.publish(
                Message(to: .controlRequests, id: "", body: request.encoded()), timeout: .seconds(10))
        }

        func next() async throws -> ControlMessage? {
            var messages = messages
            let delivery = try #require(await messages.next())
            await broker.transport.settle(delivery, .acknowledge)
            return try ControlMessage.parsing(delivery.body)
        }
    }

    @Test("sidecars hear of cancellations, those that run and those that start", .timeLimit(.minutes(2)))
    func cancellations() async throws {
        try await withServers { database, broker in
            await broker.transport.declare(.actor("a"))
            let gateway = try await GatewayProgram(database, broker.settings)
            let running = await Inbox("a.1", broker)
            try await running.ask()
            #expect(try await running.next() == .cancel([]))
            // An answer ends with this.
            let isOpen = ControlMessage.pauses([ActorPause(actor: "a", isPaused: false, decidedAt: 0)])
            #expect(try await running.next() == isOpen)

            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            #expect(try await gateway.client.post("/envelopes/e/cancel", "").status == 200)
            #expect(try await running.next() == .cancel(["e"]))

            let starting = await Inbox("a.2", broker)
            try await starting.ask()
            #expect(try await starting.next() == .cancel(["e"]))
            #expect(try await starting.next() == isOpen)
            try await broker.publish(
                StatusReport(
                    kind: .final, eventID: "e/1", envelopeID: "e", status: "cancelled", actors: ["a"],
                    currentActorIndex: 0))
            try await eventually("it is still kept in mind") {
                try await database.pool.query("SELECT FROM cancellations").isEmpty
            }
            try await starting.ask()
            #expect(try await starting.next() == .cancel([]))
            #expect(try await starting.next() == isOpen)
            // An inbox that nobody has made: it is not waited for.
            try await broker.transport.publish(
                Message(to: .controlRequests, id: "", body: ControlRequest(actor: "a", inbox: "gone").encoded()),
                timeout: .seconds(10))
            try await eventually("requests are left") { try broker.messages(in: ".control.gateway") == 0 }
        }
    }

    @Test("an envelope that starts later comes to its queue when its time has come", .timeLimit(.minutes(2)))
    func delay() async throws {
        try await withServers { database, broker in
            await broker.transport.declare(.actor("a"))
            let gateway = try await GatewayProgram(
                database, broker.settings, settings: ["TROUPE_GATEWAY_OUTBOX_INTERVAL": "60s"])
            let start = ContinuousClock.now
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1,"delay_ms":700}"#
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            var deliveries = await broker.transport.deliveries(from: .actor("a"), prefetch: 1).makeAsyncIterator()
            let delivery = try #require(await deliveries.next())
            #expect((.milliseconds(700)..<(.milliseconds(1700))).contains(ContinuousClock.now - start))
            #expect(try Envelope(parsing: delivery.body).id == "e")
        }
    }
}
