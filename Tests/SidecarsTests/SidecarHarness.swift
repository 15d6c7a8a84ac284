import AMQP
import Envelopes
import EventLoops
import Foundation
import Logging
import TestSupport
import Transports

/// One actor as a user runs it: the real sidecar and a real Python handler as processes, queues on the real broker.
final class SidecarHarness: @unchecked Sendable {
    let name = "worker"
    let broker: RabbitMQSettings
    let transport: RabbitMQTransport
    let folder: URL
    private let handlerSource: String
    private var settings: [String: String]
    private(set) var sidecar: Process?
    private(set) var handler: Process?
    let probes: Int

    /// - Parameter handler: Python source with a function `process(payload)`.
    init(handler: String, settings: [String: String] = [:]) async throws {
        let unique = "s\(UInt32.random(in: 0 ... .max))"
        broker = RabbitMQSettings(
            endpoint: try Endpoint(url: TestServers.rabbitMQURL), exchange: unique, queuePrefix: "\(unique)-")
        transport = RabbitMQTransport(
            broker, on: EventLoop(name: unique), logger: Logger(label: unique) { _ in SwiftLogNoOpLogHandler() })
        folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent(unique)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        handlerSource = handler
        probes = Int.random(in: 32_000...32_700)
        self.settings = [
            "TROUPE_ACTOR_NAME": name, "TROUPE_RABBITMQ_URL": try TestServers.rabbitMQURL,
            "TROUPE_RABBITMQ_EXCHANGE": unique,
            "TROUPE_QUEUE_PREFIX": "\(unique)-", "TROUPE_SOCKET_DIR": folder.path,
            "TROUPE_METRICS_ADDR": "127.0.0.1:\(probes)",
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin",
        ].merging(settings) { $1 }
        try handlerSource.write(to: folder.appendingPathComponent("handler.py"), atomically: true, encoding: .utf8)
    }

    static var programs: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    }
    static var sources: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    func rewriteHandler(_ source: String) {
        try? source.write(to: folder.appendingPathComponent("handler.py"), atomically: true, encoding: .utf8)
    }

    func startHandler() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", Self.sources.appendingPathComponent("actors/runtime/troupe_runtime.py").path]
        process.environment = settings.merging([
            "TROUPE_HANDLER": "handler.process", "PYTHONPATH": folder.path,
            "HITS": folder.appendingPathComponent("hits").path,
        ]) { $1 }
        process.standardError = try log("handler.log")
        try process.run()
        handler = process
    }

    func startSidecar(_ more: [String: String] = [:]) throws {
        let process = Process()
        process.executableURL = Self.programs.appendingPathComponent("troupe-sidecar")
        process.environment = settings.merging(more) { $1 }
        process.standardError = try log("sidecar.log")
        try process.run()
        sidecar = process
    }

    private func log(_ name: String) throws -> FileHandle {
        let file = folder.appendingPathComponent(name)
        if !FileManager.default.fileExists(atPath: file.path) {
            _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        }
        let handle = try FileHandle(forWritingTo: file)
        try handle.seekToEnd()
        return handle
    }

    func text(of file: String) -> String {
        (try? String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)) ?? ""
    }

    /// How often the handler has noted a call (it appends a line to the file `HITS`).
    var hits: Int { text(of: "hits").split(separator: "\n").count }

    func start() async throws {
        try startHandler()
        try startSidecar()
        try await ready()
    }

    func ready() async throws {
        try await eventually("the sidecar is ready") { (try? await self.get("/readyz").status) == 200 }
    }

    /// Of the sidecar's own queue; `nil` where there is none.
    func gauge(_ metric: String) async throws -> Int? {
        let series = "troupe_actor_\(metric){queue=\"\(broker.queuePrefix)\(name)\"} "
        let line = try await get("/metrics").body.split(separator: "\n").first { $0.hasPrefix(series) }
        return line.flatMap { Int($0.dropFirst(series.count)) }
    }

    func get(_ path: String) async throws -> (status: Int, body: String) {
        guard let url = URL(string: "http://127.0.0.1:\(probes)\(path)") else { throw CocoaError(.fileNoSuchFile) }
        let data = try await Task.detached { () -> (Int, String) in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["curl", "-s", "-m", "5", "-w", "\n%{http_code}", url.absoluteString]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
        }.value
        return (data.0, data.1)
    }

    func kill(_ process: Process?, _ signal: Int32 = SIGKILL) {
        if let process, process.isRunning { Foundation.kill(process.processIdentifier, signal) }
    }

    func submit(_ number: Int, payload: String? = nil) async throws {
        let body =
            #"{"id":"e\#(number)","route":{"actors":["worker"],"current":0},"payload":\#(payload ?? String(number))}"#
        try await transport.publish(
            Message(to: .actor(name), id: "e\(number)", body: Array(body.utf8)), timeout: .seconds(20))
    }

    /// What arrives at an actor's queue, settled as it comes, until `count` different ids were seen; then a little
    /// longer for doubles.
    func collect(_ actor: String, _ count: Int, within limit: Duration = .seconds(40)) async throws -> [String:
        [Envelope]]
    {
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 100)
        let transport = transport
        return try await TestSupport.within(limit, "\(count) envelopes at \(actor)") {
            var seen: [String: [Envelope]] = [:]
            for await delivery in deliveries {
                let envelope = try Envelope(parsing: delivery.body)
                seen[envelope.id, default: []].append(envelope)
                await transport.settle(delivery, .acknowledge)
                if seen.count >= count { break }
            }
            return seen
        }
    }

    /// Bodies that lie in the actor's dead-letter queue.
    func deadLetters(_ count: Int) async throws -> [[UInt8]] {
        let (bodies, body) = AsyncStream<[UInt8]>.makeStream()
        let consumer = try await Consumer.open(
            broker.endpoint, queue: "\(broker.queuePrefix)\(name)-dlq", prefetch: 100, on: EventLoop(name: "dead"),
            setUp: { _ in },
            handler: { if case .message(let message) = $0 { body.yield(message.body) } })
        await consumer.start()
        let seen = try await TestSupport.within(.seconds(20), "\(count) dead letters") {
            var seen: [[UInt8]] = []
            for await body in bodies {
                seen.append(body)
                if seen.count == count { break }
            }
            return seen
        }
        await consumer.close()
        return seen
    }

    /// Queues of happy-end and error-end exist before anything is sent to them.
    func declareEnds() async throws {
        let other = RabbitMQTransport(
            broker, on: EventLoop(name: "ends"), logger: Logger(label: "ends") { _ in SwiftLogNoOpLogHandler() })
        for end in ["happy-end", "error-end"] { _ = await other.deliveries(from: .actor(end), prefetch: 1) }
        try await eventually("queues of the ends") { await other.impediment() == nil }
        await other.shutdown()
    }

    func stop() async {
        kill(sidecar)
        kill(handler)
        await transport.shutdown()
        try? FileManager.default.removeItem(at: folder)
    }
}
