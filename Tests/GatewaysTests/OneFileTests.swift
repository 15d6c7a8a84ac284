import EmbeddedTransports
import Envelopes
import EventLoops
import Foundation
import Logging
import SQLite
import ServiceLifecycle
import TestSupport
import Testing
import Transports

@testable import Gateways

/// A gateway whose broker and store are one file: no server at all.
@Suite("Broker and store in one file", .serialized, .timeLimit(.minutes(2)))
struct OneFileTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Opens the file, and leaves it again.
    private func withGateway(
        in folder: TemporaryFolder, _ body: (TestClient, EmbeddedTransport) async throws -> Void
    ) async throws {
        let file = try SQLiteFile(path: folder.path + "/troupe.db")
        let broker = try await EmbeddedBroker.open(file, on: EventLoop(name: "broker"), logger: logger)
        let transport = EmbeddedTransport(broker)
        var configuration = Configuration()
        configuration.port = 0
        let (ports, port) = AsyncStream<GatewayPorts>.makeStream()
        let gateway = Gateway(
            configuration: configuration, database: .sqlite(file), transport: transport,
            deadLetters: EmbeddedDeadLetters(broker), queues: EmbeddedQueues(broker), logger: logger
        ) { port.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [gateway], logger: logger))
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let client = TestClient(port: try #require(await iterator.next()).main)
        try await body(client, EmbeddedTransport(broker))
        await group.triggerGracefulShutdown()
        try await running.value
        await transport.shutdown()
        await broker.close()
        await file.close()
    }

    /// What a sidecar tells of each envelope.
    private func work(as actor: String, _ transport: EmbeddedTransport) async throws {
        for await delivery in await transport.deliveries(from: .actor(actor), prefetch: 10) {
            let envelope = try Envelope(parsing: delivery.body)
            var end = StatusReport(.final, of: envelope, eventID: "end", status: "succeeded")
            end.result = envelope.payload
            for report in [StatusReport(.progress, of: envelope, eventID: "1", status: "received"), end] {
                try await transport.publish(Message(report), timeout: .seconds(10))
            }
            await transport.settle(delivery, .acknowledge)
        }
    }

    @Test("envelopes that were accepted are worked on after a restart, and their streams end at once")
    func life() async throws {
        let folder = TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let ids = (0..<50).map { "e\($0)" }
        try await withGateway(in: folder) { client, transport in
            await transport.declare(.actor("a"))
            let lines = ids.map { #"{"id":"\#($0)","route":{"actors":["a"]},"payload":{"n":1e400}}"# }
            let answer = try await client.post("/envelopes/bulk", lines.joined(separator: "\n"))
            #expect(answer.text.contains(#""accepted":50"#))
        }
        try await withGateway(in: folder) { client, transport in
            let stream = try await client.events("/envelopes/e7/stream")
            let working = Task { try await work(as: "a", transport) }
            #expect(await stream.all().map { $0["status"]?.string } == ["running", "running", "succeeded"])
            try await eventually("not all have ended") {
                try await client.get("/envelopes?status=succeeded&limit=100")["envelopes"]?.elements.count == 50
            }
            await transport.stopConsuming()
            try await working.value
        }
        try await withGateway(in: folder) { client, _ in
            for id in ids {
                let result = try await client.get("/envelopes/\(id)/result")
                #expect(result.text == #"{"n":1e400}"#)
            }
            let readiness = try await client.get("/readyz")
            #expect(readiness.status == 200)
        }
    }
}
