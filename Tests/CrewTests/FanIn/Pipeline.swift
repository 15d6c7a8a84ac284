import AMQP
import Envelopes
import EventLoops
import Foundation
import Logging
import TestSupport
import Transports

/// Real sidecars beside real handlers, queues on the real broker, a database of their own. The test stands at the ends.
final class Pipeline {
    let transport: RabbitMQTransport
    let database: TestDatabase
    private let name = "f\(UInt32.random(in: 0 ... .max))"
    private let folder: TemporaryFolder
    private var replicas: [Replica] = []

    static let programs = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    init() async throws {
        database = try await TestDatabase.withSchema()
        folder = TemporaryFolder()
        let broker = RabbitMQSettings(
            endpoint: try Endpoint(url: TestServers.rabbitMQURL), exchange: name, queuePrefix: "\(name)-")
        transport = RabbitMQTransport(
            broker, on: EventLoop(name: name), logger: Logger(label: name) { _ in SwiftLogNoOpLogHandler() })
        await transport.connect()
        for end in ["happy-end", "error-end"] { await transport.declare(.actor(end)) }
    }

    /// An actor whose handler is Python source with a function `process(payload)`.
    func add(_ actor: String, python source: String) throws {
        let handlers = URL(fileURLWithPath: folder.path).appending(path: actor)
        try FileManager.default.createDirectory(at: handlers, withIntermediateDirectories: true)
        try Data(source.utf8).write(to: handlers.appending(path: "handler.py"))
        try start(
            actor, ["python3", TestDatabase.repository.path + "/actors/runtime/troupe_runtime.py"],
            ["TROUPE_HANDLER": "handler.process", "PYTHONPATH": handlers.path])
    }

    @discardableResult
    func addFanIn(_ settings: [String: String] = [:]) throws -> Replica {
        try start(
            "fan-in", [Self.programs.path + "/troupe", "crew", "fan-in"],
            ["TROUPE_DATABASE_URL": database.url].merging(settings) { $1 })
    }

    /// The only one, with a file.
    @discardableResult
    func addFanInOnFile() throws -> Replica {
        try start(
            "fan-in", [Self.programs.path + "/troupe", "crew", "fan-in"],
            ["TROUPE_FAN_IN_FILE": folder.path + "/fan-in.db"])
    }

    @discardableResult
    private func start(_ actor: String, _ handler: [String], _ settings: [String: String]) throws -> Replica {
        let replica = try Replica(
            handler: handler, folder: URL(fileURLWithPath: folder.path).appending(path: "\(replicas.count)"),
            settings: [
                "TROUPE_ACTOR_NAME": actor, "TROUPE_RABBITMQ_URL": try TestServers.rabbitMQURL,
                "TROUPE_RABBITMQ_EXCHANGE": name, "TROUPE_QUEUE_PREFIX": "\(name)-", "TROUPE_CONCURRENCY": "4",
                "TROUPE_METRICS_ENABLED": "false", "TROUPE_STATUS_REPORTS": "off",
                // Who is killed from outside again and again is no reason to give an envelope up.
                "TROUPE_CRASH_ATTEMPTS": "100",
                "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin",
            ].merging(settings) { $1 })
        replicas.append(replica)
        return replica
    }

    func submit(_ id: String, _ route: [String], headers: String = "{}", payload: String) async throws {
        let envelope = Envelope(
            id: id, route: Route(actors: route), headers: try Headers(RawJSON(Array(headers.utf8))),
            payload: try RawJSON(Array(payload.utf8)))
        let message = Message(to: .actor(route[0]), id: id, body: envelope.encoded())
        try await eventually("the queue of \(route[0])") {
            do throws(TransportError) {
                try await transport.publish(message, timeout: .seconds(20))
                return true
            } catch {
                guard error.code == .unroutable else { throw error }
                return false
            }
        }
    }

    /// What arrives at an end from now on.
    func arrivals(at end: String) async -> AsyncStream<Envelope> {
        let deliveries = await transport.deliveries(from: .actor(end), prefetch: 200)
        let (stream, continuation) = AsyncStream<Envelope>.makeStream()
        let transport = transport
        Task {
            for await delivery in deliveries {
                if let envelope = try? Envelope(parsing: delivery.body) { continuation.yield(envelope) }
                await transport.settle(delivery, .acknowledge)
            }
            continuation.finish()
        }
        return stream
    }

    /// In all its queues, those of delays too.
    func messagesLeft() throws -> Int {
        let queues = try TestServers.rabbitmqctl("--quiet", "list_queues", "--no-table-headers", "name", "messages")
        return queues.split(separator: "\n").filter { $0.hasPrefix(name) }
            .reduce(0) { $0 + (Int($1.split(separator: "\t").last ?? "") ?? 0) }
    }

    /// The last lines that the processes wrote.
    var logs: String { replicas.map(\.log).joined(separator: "\n") }

    func stop() async throws {
        for replica in replicas { replica.stop() }
        await transport.shutdown()
        try await database.drop()
    }
}

/// A handler and the sidecar beside it, as processes.
final class Replica: @unchecked Sendable {
    private let folder: URL
    private let handlerCommand: [String]
    private let settings: [String: String]
    private var sidecar: Process
    private var handler: Process

    init(handler: [String], folder: URL, settings: [String: String]) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder
        handlerCommand = handler
        self.settings = settings.merging(["TROUPE_SOCKET_DIR": folder.path]) { $1 }
        _ = FileManager.default.createFile(atPath: folder.path + "/log", contents: nil)
        self.handler = try Self.start(handlerCommand, self.settings, folder)
        sidecar = try Self.start([Self.sidecar], self.settings, folder)
    }

    private static let sidecar = Pipeline.programs.path + "/troupe-sidecar"

    private static func start(_ command: [String], _ settings: [String: String], _ folder: URL) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = settings
        let log = try FileHandle(forWritingTo: folder.appending(path: "log"))
        try log.seekToEnd()
        process.standardError = log
        try process.run()
        return process
    }

    func killSidecar() throws {
        Foundation.kill(sidecar.processIdentifier, SIGKILL)
        sidecar = try Self.start([Self.sidecar], settings, folder)
    }

    func killHandler() throws {
        Foundation.kill(handler.processIdentifier, SIGKILL)
        handler = try Self.start(handlerCommand, settings, folder)
    }

    func stop() {
        for process in [sidecar, handler] { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    var log: String {
        let text = (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? ""
        return "\(handlerCommand.last ?? ""):\n\(text.suffix(2000))"
    }
}
