import Envelopes
import EventLoops
import Foundation
import Logging
import Settings
import Synchronization
import TestSupport
import Testing
import TransportConformance
import Transports

@testable import EmbeddedTransports
@testable import Sidecars

/// Real sidecars, with handlers in real Python processes, on an embedded broker.
@Suite(.timeLimit(.minutes(2)))
struct SidecarPipelineTests {
    @Test func aRouteOfTwoActorsRunsToItsEnd() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        let ends = Arrivals(await client.deliveries(from: .actor("happy-end"), prefetch: 1000))
        let errors = Arrivals(await client.deliveries(from: .actor("error-end"), prefetch: 1000))
        let reports = Arrivals(await client.deliveries(from: .statusReports, prefetch: 10_000))
        let split = try RunningActor(
            "split", open, handler: "def process(payload):\n    return [{'n': n} for n in range(payload['count'])]\n")
        let double = try RunningActor(
            "double", open, handler: "def process(payload):\n    return {'n': 2 * payload['n']}\n",
            settings: ["TROUPE_CONCURRENCY": "2"])
        try await eventually("both have begun") {
            let states = try await EmbeddedQueues(open.broker).look(at: [.actor("split"), .actor("double")])
            return states.values.filter { $0.consumers == 1 }.count == 2
        }
        let envelopes = 20
        for number in 0..<envelopes {
            let body = #"{"id":"e\#(number)","route":{"actors":["split","double"],"current":0},"payload":{"count":5}}"#
            try await client.publish(
                Message(to: .actor("split"), id: "e\(number)", body: Array(body.utf8)), timeout: .seconds(5))
        }
        let total = envelopes * 5
        try await eventually("all have ended", within: .seconds(60)) { ends.all.count >= total }
        try await eventually("all is settled") {
            let states = try await EmbeddedQueues(open.broker).look(at: [.actor("split"), .actor("double")])
            return states.values.allSatisfy { $0.ready == 0 }
        }
        let results = try ends.all.map { try Envelope(parsing: $0.body) }
        #expect(results.count == total && errors.all.isEmpty)
        #expect(Set(results.map(\.id)).count == total)
        let numbers = results.map { String(decoding: $0.payload.bytes, as: UTF8.self) }
        for n in 0..<5 { #expect(numbers.count { $0 == "{\"n\":\(2 * n)}" || $0 == "{\"n\": \(2 * n)}" } == envelopes) }
        #expect(ends.all.allSatisfy { !$0.isRedelivered })

        // Who reads the reports hears of all children before any can end.
        let order = try reports.all.map { try StatusReport(parsing: $0.body, limits: .standard) }
        #expect(order.count { $0.kind == .created } == envelopes * 4)
        for number in 0..<envelopes {
            let family = order.filter { $0.envelopeID == "e\(number)" || $0.parentID == "e\(number)" }
            let lastBirth = try #require(family.lastIndex { $0.kind == .created })
            let firstWork = family.firstIndex { $0.kind == .progress && $0.currentActorIndex == 1 }
            #expect(firstWork.map { $0 > lastBirth } ?? true)
        }
        await split.stop()
        await double.stop()
        await client.shutdown()
    }
}

/// A sidecar in this process, and its handler's.
private final class RunningActor: Sendable {
    private let handler: Process
    private let transport: EmbeddedTransport
    private let serving: Task<Void, Never>
    private let runtime: Runtime
    private let folder = TemporaryFolder()

    init(_ name: String, _ open: OpenBroker, handler source: String, settings: [String: String] = [:]) throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        try source.write(toFile: folder.path + "/handler.py", atomically: true, encoding: .utf8)
        let environment = [
            "TROUPE_ACTOR_NAME": name, "TROUPE_SOCKET_DIR": folder.path, "TROUPE_HANDLER": "handler.process",
            "PYTHONPATH": folder.path, "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin",
        ].merging(settings) { $1 }
        handler = Process()
        handler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        handler.arguments = ["python3", TestDatabase.repository.path + "/actors/runtime/troupe_runtime.py"]
        handler.environment = environment
        handler.standardOutput = FileHandle.nullDevice
        handler.standardError = FileHandle.nullDevice
        try handler.run()

        let configuration = try SidecarConfiguration(Settings(environment: environment))
        let loop = EventLoop(name: name)
        transport = open.client()
        runtime = Runtime(
            path: configuration.socketPath, connections: configuration.concurrency,
            limits: configuration.policy.limits, takesEvents: configuration.takesEvents, on: loop)
        let sidecar = Sidecar(
            configuration, transport: transport, runtime: runtime, reporter: BrokerReporter(over: transport),
            metrics: SidecarMetrics(namespace: "test", queue: name), spans: nil, on: loop,
            logger: Logger(label: name) { _ in SwiftLogNoOpLogHandler() }
        ) {}
        serving = Task(executorPreference: loop) { await sidecar.run() }
    }

    /// Without asking: what SIGTERM means is the handler's affair.
    deinit { kill(handler.processIdentifier, SIGKILL) }

    func stop() async {
        await transport.stopConsuming()
        await runtime.drain()
        await serving.value
        await transport.shutdown()
    }
}
