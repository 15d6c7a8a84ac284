import AMQP
import Envelopes
import EventLoops
import Foundation
import Logging
import Synchronization
import Testing
import Transports

import enum TestSupport.TestServers

/// `troupe gateway` as a process of its own, on the real broker: it can be killed.
final class GatewayProgram: Sendable {
    let client: TestClient
    private let process: Process

    /// Returns when it is ready.
    init(_ database: TestDatabase, _ broker: RabbitMQSettings, settings: [String: String] = [:]) async throws {
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "troupe")
        let process = Process()
        process.executableURL = program
        process.arguments = ["gateway"]
        process.environment = [
            "TROUPE_DATABASE_URL": database.url, "TROUPE_GATEWAY_PORT": "0", "TROUPE_GATEWAY_OUTBOX_GRACE": "1s",
            "TROUPE_GATEWAY_PUBLISH_TIMEOUT": "900ms", "TROUPE_RABBITMQ_URL": try TestServers.rabbitMQURL,
            "TROUPE_RABBITMQ_EXCHANGE": broker.exchange, "TROUPE_QUEUE_PREFIX": broker.queuePrefix,
            "TROUPE_RABBITMQ_QUEUE_TYPE": broker.queueType.rawValue,
        ].merging(settings) { $1 }
        let pipe = Pipe()
        process.standardError = pipe
        let (ports, port) = AsyncStream<Int>.makeStream()
        try process.run()
        Thread.detachNewThread {
            var text = Data()
            while case let data = pipe.fileHandleForReading.availableData, !data.isEmpty {
                text += data
                while let end = text.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = try? RawJSON(Array(text[..<end]))
                    if line?["message"]?.string == "gateway listens",
                        let number = line?["port"]?.string.flatMap(Int.init)
                    {
                        port.yield(number)
                    }
                    text.removeSubrange(...end)
                }
            }
            port.finish()
        }
        var iterator = ports.makeAsyncIterator()
        client = TestClient(port: try #require(await iterator.next(), "the gateway didn't start"))
        self.process = process
        let client = client
        try await eventually("the gateway isn't ready") { try await client.get("/readyz").status == 200 }
    }

    deinit { if process.isRunning { kill() } }

    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// A counter or gauge of its metrics; 0 where it isn't there.
    func metric(_ name: String) async throws -> Int {
        let line = try await client.get("/metrics").text.split(separator: "\n").first {
            $0.hasPrefix("troupe_gateway_\(name) ")
        }
        return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
    }
}

/// Queues and exchanges of one test on the real broker, and the test's own way there.
struct TestBroker {
    let settings: RabbitMQSettings
    let transport: RabbitMQTransport

    init(_ queueType: RabbitMQSettings.QueueType = .quorum) throws {
        let unique = "g\(UInt32.random(in: 0 ... .max))"
        settings = RabbitMQSettings(
            endpoint: try Endpoint(url: TestServers.rabbitMQURL), exchange: unique, queuePrefix: "\(unique)-",
            queueType: queueType)
        transport = Self.transport(settings)
    }

    static func transport(_ settings: RabbitMQSettings) -> RabbitMQTransport {
        RabbitMQTransport(
            settings, on: EventLoop(name: "test"), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    func publish(_ report: StatusReport) async throws {
        try await transport.publish(
            Message(to: .statusReports(report.kind), id: report.envelopeID, body: report.encoded()),
            timeout: .seconds(20))
    }

    /// Messages that wait for `source`, and those that somebody has and hasn't settled.
    func messages(in queue: String) throws -> Int {
        let text = try TestServers.rabbitmqctl("--silent", "list_queues", "name", "messages")
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(settings.exchange)\(queue)\t") }
        return line?.split(separator: "\t").last.flatMap { Int($0) } ?? 0
    }
}

/// A database and a broker's corner of one test's own.
func withServers(
    _ queueType: RabbitMQSettings.QueueType = .quorum, _ body: (TestDatabase, TestBroker) async throws -> Void
) async throws {
    try await withDatabase { database in
        let broker = try TestBroker(queueType)
        do {
            try await body(database, broker)
        } catch {
            await broker.transport.shutdown()
            throw error
        }
        await broker.transport.shutdown()
    }
}
