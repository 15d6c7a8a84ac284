import Envelopes
import PostgreSQL
import Testing
import Transports

import enum TestSupport.TestServers

@testable import Gateways

@Suite("Dead letters", .serialized)
struct DeadLetterNoticeTests {
    private func message(_ id: String, parent: String? = nil, replays: Int = 0) -> [UInt8] {
        var envelope = Envelope(id: id, parentID: parent, route: Route(actors: ["a", "b"], current: 1), payload: .null)
        envelope.headers.replays = replays
        return envelope.encoded()
    }

    private func submit(_ gateway: TestGateway, _ id: String) async throws {
        let body = #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1}"#
        #expect(try await gateway.client.post("/envelopes", body).status == 202)
    }

    private func outcomes(_ gateway: TestGateway) async throws -> [String] {
        try await gateway.client.get("/metrics").text.split(separator: "\n").map(String.init).filter {
            $0.hasPrefix("troupe_gateway_dead_letters_total") && !$0.hasSuffix(" 0")
        }
    }

    @Test("fail their envelope with the reason, once", arguments: StoreKind.allCases)
    func fails(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway, "e")
            let letter = DeadLetter(actor: "b", reason: "delivery_limit")
            for _ in 0..<2 { gateway.transport.deliver(message("e"), from: .deadLetterNotices, deadLetter: letter) }
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 2 }
            let envelope = try await gateway.client.get("/envelopes/e")
            #expect(envelope["status"]?.string == "failed")
            #expect(envelope["error"]?.string == "dead_letter: delivery_limit at actor 'b'")
            #expect(envelope["current_actor_name"]?.string == "b")
            #expect(envelope["message"]?.string == "Gone to the dead letters of actor 'b': delivery_limit")
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.map { $0["status"]?.string } == ["running", "failed"])
            #expect(
                try await outcomes(gateway) == [
                    #"troupe_gateway_dead_letters_total{outcome="applied"} 1"#,
                    #"troupe_gateway_dead_letters_total{outcome="ignored"} 1"#,
                ])
        }
    }

    @Test("change nothing that has ended; a cancelled one needs no more telling", arguments: StoreKind.allCases)
    func ended(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway, "done")
            _ = try await gateway.client.post("/envelopes/done/final", #"{"status":"succeeded"}"#)
            try await submit(gateway, "cancelled")
            _ = try await gateway.client.post("/envelopes/cancelled/cancel", "")
            for id in ["done", "cancelled"] {
                gateway.transport.deliver(
                    message(id), from: .deadLetterNotices, deadLetter: DeadLetter(actor: "b", reason: "rejected"))
            }
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 2 }
            #expect(try await gateway.client.get("/envelopes/done")["status"]?.string == "succeeded")
            #expect(try await gateway.client.get("/envelopes/cancelled")["status"]?.string == "cancelled")
            #expect(try await database.count("SELECT count(*) FROM cancellations") == 0)
        }
    }

    @Test("of children and strangers, without a reason, and what is no envelope", arguments: StoreKind.allCases)
    func odd(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let letter = DeadLetter(actor: "b", reason: "no envelope")
            for body in ["", "{", "[]", #"{"id":7}"#, "\u{0}"] {
                gateway.transport.deliver(Array(body.utf8), from: .deadLetterNotices, deadLetter: letter)
            }
            gateway.transport.deliver(message("stranger"), from: .deadLetterNotices, deadLetter: letter)
            gateway.transport.deliver(message("child", parent: "p"), from: .deadLetterNotices)
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 7 }
            #expect(try await gateway.client.get("/envelopes/stranger").status == 404)
            let child = try await gateway.client.get("/envelopes/child")
            #expect(child["status"]?.string == "failed")
            #expect(child["parent_id"]?.string == "p")
            #expect(child["error"]?.string == "dead_letter: for a reason that nobody gave at actor 'b'")
            #expect(
                try await outcomes(gateway) == [
                    #"troupe_gateway_dead_letters_total{outcome="applied"} 1"#,
                    #"troupe_gateway_dead_letters_total{outcome="invalid"} 5"#,
                    #"troupe_gateway_dead_letters_total{outcome="unknown"} 1"#,
                ])
        }
    }

    @Test("whose envelope is nested as deep as any sidecar may be set to take", arguments: StoreKind.allCases)
    func deep(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway, "e")
            let payload = String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)
            let body = #"{"id":"e","route":{"actors":["a","b"]},"payload":\#(payload)}"#
            gateway.transport.deliver(
                Array(body.utf8), from: .deadLetterNotices, deadLetter: DeadLetter(actor: "a", reason: "delivery_limit")
            )
            try await eventually("not failed") {
                try await gateway.client.get("/envelopes/e")["status"]?.string == "failed"
            }
        }
    }

    @Test(
        "from before a replay that is known already say nothing of the envelope any more", arguments: StoreKind.allCases
    )
    func replayed(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway, "e")
            var reopened = StatusReport(
                kind: .reopened, eventID: "r1", envelopeID: "e", status: "running", actors: ["a", "b"],
                currentActorIndex: 1)
            reopened.replays = 1
            gateway.transport.report(reopened)
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 1 }
            let letter = DeadLetter(actor: "b", reason: "delivery_limit")
            gateway.transport.deliver(message("e"), from: .deadLetterNotices, deadLetter: letter)
            try await eventually("not acknowledged") { gateway.transport.acknowledgedCount == 2 }
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "running")
            gateway.transport.deliver(message("e", replays: 1), from: .deadLetterNotices, deadLetter: letter)
            try await eventually("not failed") {
                try await gateway.client.get("/envelopes/e")["status"]?.string == "failed"
            }
        }
    }

    @Test("are kept where the dead letters' queue was deleted, each once", .timeLimit(.minutes(1)))
    func queueDeleted() async throws {
        try await withServers { database, broker in
            await broker.transport.declare(.actor("a"))
            await broker.transport.declare(.deadLetterNotices)
            _ = try TestServers.rabbitmqctl("delete_queue", broker.settings.queuePrefix + "a-dlq")
            // More than are taken in at a time.
            for number in 1...40 {
                try await broker.transport.publish(
                    Message(to: .deadLetters(actor: "a", reason: "no good"), id: "", body: message("e\(number)")),
                    timeout: .seconds(10))
            }
            try await broker.transport.publish(
                Message(to: .deadLetters(actor: "a", reason: "not JSON"), id: "", body: [1, 2]), timeout: .seconds(10))

            let gateway = try await GatewayProgram(database, broker.settings)
            let counter = #"troupe_gateway_dead_letters_total{outcome="unknown"} 80"#
            try await eventually("not all notices are taken") {
                try await gateway.client.get("/metrics").text.contains(counter)
            }
            let reader = try #require(try await RabbitMQDeadLetters(broker.settings).openDeadLetters(of: "a"))
            let letters = try await reader.next(limit: 100)
            await reader.close()
            #expect(letters.count == 41)
            #expect(Set(letters.map(\.id)) == Set((1...40).map { "e\($0)" } + [""]))
            #expect(Set(letters.map(\.deadLetter.reason)) == ["no good", "not JSON"])
        }
    }

    @Test("of the real broker, from a queue whose consumer gives a message back until it is thrown out")
    func realBroker() async throws {
        try await withServers { database, broker in
            var settings = broker.settings
            settings.deliveryLimit = 2
            let sidecar = TestBroker.transport(settings)
            await sidecar.declare(.actor("a"))
            let gateway = try await GatewayProgram(database, broker.settings)
            let deliveries = Task {
                var count = 0
                for await delivery in await sidecar.deliveries(from: .actor("a"), prefetch: 1) {
                    count += 1
                    await sidecar.settle(delivery, .requeue)
                }
                return count
            }
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            try await eventually("not failed") {
                try await gateway.client.get("/envelopes/e")["status"]?.string == "failed"
            }
            #expect(
                try await gateway.client.get("/envelopes/e")["error"]?.string
                    == "dead_letter: delivery_limit at actor 'a'")
            // By a sidecar, with a sentence.
            let later = #"{"id":"f","route":{"actors":["a"]},"payload":1,"delay_ms":3600000}"#
            #expect(try await gateway.client.post("/envelopes", later).status == 202)
            try await broker.transport.publish(
                Message(to: .deadLetters(actor: "a", reason: "no good"), id: "f", body: message("f")), timeout: nil)
            try await eventually("not failed") {
                try await gateway.client.get("/envelopes/f")["error"]?.string == "dead_letter: no good at actor 'a'"
            }
            try await eventually("notices are left") { try broker.messages(in: ".dead-letters.gateway") == 0 }
            await sidecar.shutdown()
            #expect(await deliveries.value >= 3)
        }
    }
}
