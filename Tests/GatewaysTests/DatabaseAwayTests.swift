import Envelopes
import Testing

@testable import Gateways

@Suite("A database that is away", .serialized)
struct DatabaseAwayTests {
    @Test("brings 503, holds back reports and streams, and all goes on when it is back")
    func awayAndBack() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: database.url)
            let gateway = try await TestGateway.start(.of(proxy.url)) { $0.keepAlive = .milliseconds(300) }
            let client = gateway.client
            #expect(
                try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#).status == 202)
            let stream = try await client.events("/envelopes/e/stream")
            try await eventually("not sent") { gateway.transport.published.count == 1 }

            proxy.stop()
            for _ in 0..<3 {
                let answer = try await client.post("/envelopes", #"{"id":"f","route":{"actors":["a"]},"payload":1}"#)
                #expect(answer.status == 503)
                #expect(answer.code == "database_unavailable")
                #expect(answer.headers["retry-after"] == "1")
            }
            #expect(try await client.get("/envelopes/e").status == 503)
            #expect(try await client.get("/health").status == 200)
            #expect(try await client.get("/readyz").status == 503)
            #expect(try await client.get("/metrics").status == 200)
            let final = StatusReport(
                kind: .final, eventID: "1", envelopeID: "e", status: "succeeded", actors: ["a"], currentActorIndex: 1)
            gateway.transport.report(final)
            try await Task.sleep(for: .milliseconds(300))
            #expect(gateway.transport.acknowledgedCount == 0)

            try proxy.start()
            try await eventually("it doesn't recover") { try await client.get("/readyz").status == 200 }
            try await eventually("the report is lost") { gateway.transport.acknowledgedCount == 1 }
            #expect(await stream.all().map { $0["status"]?.string } == ["running", "succeeded"])
            #expect(
                try await client.post("/envelopes", #"{"id":"f","route":{"actors":["a"]},"payload":1}"#).status == 202)
            try await gateway.stop()
            proxy.stop()
        }
    }

    @Test("keeps sidecars that start waiting, not for ever; they are answered when it is back")
    func controlRequests() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: database.url)
            let gateway = try await TestGateway.start(.of(proxy.url))
            proxy.stop()
            let request = ControlRequest(actor: "a", inbox: "i").encoded()
            gateway.transport.deliver(request, from: .controlRequests)
            try await eventually("it isn't given back") { gateway.transport.requeuedCount == 1 }
            try proxy.start()
            try await eventually("it doesn't recover") { try await gateway.client.get("/readyz").status == 200 }
            gateway.transport.deliver(request, from: .controlRequests)
            try await eventually("no answer") { gateway.transport.cancellations(to: .controlInbox("i")) == [[]] }
            try await gateway.stop()
            proxy.stop()
        }
    }
}
