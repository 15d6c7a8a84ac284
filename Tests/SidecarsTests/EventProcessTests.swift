import Envelopes
import Foundation
import Synchronization
import TestSupport
import Testing
import Transports

@testable import Sidecars

/// What a real Python handler emits, through the sidecar's program and the real broker, while things are killed.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct EventProcessTests {
    /// Emits `tokens`, `pause` seconds apart; the first call does what is said under `first` in their middle.
    static let handler = """
        import os, time
        def process(payload, context):
            hits = os.environ["HITS"]
            is_first = not os.path.exists(hits)
            with open(hits, "a") as f:
                f.write("x\\n")
            for number in range(payload["tokens"]):
                if is_first and number == payload["tokens"] // 2:
                    if payload.get("first") == "die":
                        time.sleep(0.3)
                        os._exit(9)
                    if payload.get("first") == "wait":
                        time.sleep(600)
                context.emit("token", number)
                time.sleep(payload.get("pause", 0))
            return payload
        """

    /// Every report that has come over the broker, each once, in order.
    final class Reports: Sendable {
        private let all = Mutex<[StatusReport]>([])

        init(_ transport: any Transport) async {
            let deliveries = await transport.deliveries(from: .statusReports, prefetch: 100)
            Task {
                for await delivery in deliveries {
                    let report = try StatusReport(parsing: delivery.body)
                    all.withLock { all in
                        if !all.contains(where: { $0.eventID == report.eventID }) { all.append(report) }
                    }
                    await transport.settle(delivery, .acknowledge)
                }
            }
        }

        var list: [StatusReport] { all.withLock(\.self) }

        /// What was emitted during each call, in order.
        var calls: [(call: String, events: [EmittedEvent])] {
            var calls: [(call: String, events: [EmittedEvent])] = []
            for report in list where report.kind == .emitted {
                let call = report.call ?? ""
                if let place = calls.firstIndex(where: { $0.call == call }) {
                    calls[place].events += report.events
                } else {
                    calls.append((call, report.events))
                }
            }
            return calls
        }

        func tokens(_ call: Int) -> [Int] {
            calls[call].events.filter { $0.type == "token" }.compactMap(\.data.integer)
        }
    }

    private func withHarness(
        _ handler: String = handler, _ settings: [String: String] = [:],
        _ body: (SidecarHarness, Reports) async throws -> Void
    ) async throws {
        try await SidecarProcessTests().withHarness(handler, settings) { harness in
            try await body(harness, await Reports(harness.transport))
        }
    }

    private func completed(_ reports: Reports) async throws {
        try await eventually("the report of the end") { reports.list.contains { $0.status == "completed" } }
        let kinds = reports.list.map { $0.kind == .emitted ? "emitted" : $0.status }
        #expect(kinds.last == "completed", "nothing comes behind it")
    }

    @Test func theyComeInOrderBeforeTheResult() async throws {
        try await withHarness { harness, reports in
            try await harness.start()
            try await harness.submit(1, payload: #"{"tokens":500,"pause":0.001}"#)
            _ = try await harness.collect("happy-end", 1)
            try await completed(reports)
            #expect(reports.tokens(0) == Array(0..<500))
            let emitted = reports.list.filter { $0.kind == .emitted }
            // At least half a second of work, and a portion each 50 ms.
            #expect((8...40).contains(emitted.count), "\(emitted.count)")
            #expect(emitted.first?.currentActorName == "worker" && emitted.first?.attempt == 1)
            #expect(reports.list.map(\.status).prefix(2) == ["received", "processing"])
            let metrics = try await harness.get("/metrics").body
            #expect(
                metrics.contains("troupe_actor_events_emitted_total{queue=\"\(harness.broker.queuePrefix)worker\"} 500")
            )
        }
    }

    @Test func aRuntimeThatDiesInTheMiddleIsCalledAgainUnderAnotherName() async throws {
        try await withHarness { harness, reports in
            try await harness.start()
            try await harness.submit(1, payload: #"{"tokens":20,"first":"die"}"#)
            try await eventually("the handler's death") { harness.handler?.isRunning == false }
            try harness.startHandler()
            #expect(try await harness.collect("happy-end", 1).keys.sorted() == ["e1"])
            try await completed(reports)
            #expect(reports.calls.count == 2)
            #expect(reports.tokens(0) == Array(0..<10))
            #expect(reports.tokens(1) == Array(0..<20))
        }
    }

    @Test func aSidecarKilledBetweenEventsAndResultLeavesWhatWasTold() async throws {
        try await withHarness { harness, reports in
            try await harness.start()
            try await harness.submit(1, payload: #"{"tokens":20,"first":"wait"}"#)
            try await eventually("the first tokens") { reports.calls.first?.events.count == 10 }
            harness.kill(harness.sidecar)
            harness.kill(harness.handler)
            try harness.startHandler()
            try harness.startSidecar()
            #expect(try await harness.collect("happy-end", 1).keys.sorted() == ["e1"])
            try await completed(reports)
            #expect(reports.calls.count == 2)
            #expect(reports.tokens(1) == Array(0..<20))
        }
    }

    @Test func aConnectionLostWhileEventsGoOutFailsNoCall() async throws {
        let proxy = try TCPProxy(to: TestServers.rabbitMQURL)
        try await withHarness(Self.handler, ["TROUPE_RABBITMQ_URL": proxy.url, "TROUPE_CONCURRENCY": "2"]) {
            harness, reports in
            try await harness.start()
            try await harness.submit(1, payload: #"{"tokens":300,"pause":0.01}"#)
            try await eventually("the first tokens") { (reports.calls.first?.events.count ?? 0) > 20 }
            proxy.stop()
            try await Task.sleep(for: .milliseconds(500))
            try proxy.start()
            let ended = try await harness.collect("happy-end", 1)
            #expect(ended.keys.sorted() == ["e1"])
            try await eventually("the report of the end") { reports.list.contains { $0.status == "completed" } }
            // The delivery has come again, and both calls run. What a call has told has no hole, and the one whose result
            // goes on has told all before.
            for call in reports.calls.indices {
                #expect(reports.tokens(call) == Array(0..<reports.tokens(call).count))
            }
            let before = reports.list.prefix { $0.status != "completed" }
            let told = Dictionary(grouping: before.filter { $0.kind == .emitted }) { $0.call }
            #expect(told.values.contains { $0.flatMap(\.events).compactMap(\.data.integer) == Array(0..<300) })
        }
        proxy.stop()
    }

    @Test func aFloodIsCutAndTheCallGoesOn() async throws {
        let flood = """
            def process(payload, context):
                context.emit("large", "x" * 70000)
                for number in range(30000):
                    context.emit("token", number)
                return "done"
            """
        try await withHarness(flood, ["TROUPE_EVENTS_PER_CALL": "1000"]) { harness, reports in
            try await harness.start()
            try await harness.submit(1)
            _ = try await harness.collect("happy-end", 1)
            try await completed(reports)
            let events = reports.calls[0].events
            #expect(reports.tokens(0).count <= 1000)
            let warnings = events.filter { $0.type == "log" }.compactMap { $0.data["message"]?.string }
            #expect(warnings.count { $0.contains("TROUPE_EVENT_MAX_BYTES") } == 1)
            #expect(warnings.count { $0.contains("TROUPE_EVENTS_PER_CALL") } == 1)
            #expect(!events.contains { $0.type == "large" })
            #expect(harness.text(of: "sidecar.log").contains("events left out"))
            let metrics = try await harness.get("/metrics").body
            #expect(metrics.contains(#"reason="too_large"} 1"#))
        }
    }

    @Test func whatFailsTellsWhatItHasToldFirst() async throws {
        let failing = """
            def process(payload, context):
                context.emit("token", context.attempt)
                raise ValueError("as asked")
            """
        let retries = ["TROUPE_RETRY_ATTEMPTS": "2", "TROUPE_RETRY_INITIAL_DELAY": "100ms"]
        try await withHarness(failing, retries) { harness, reports in
            try await harness.start()
            try await harness.submit(1)
            _ = try await harness.collect("error-end", 1)
            try await eventually("both attempts") { reports.calls.count == 2 }
            #expect(reports.tokens(0) == [1] && reports.tokens(1) == [2])
            #expect(reports.list.filter { $0.kind == .emitted }.map(\.attempt) == [1, 2])
            let first = reports.list.firstIndex { $0.kind == .emitted } ?? .max
            let retrying = reports.list.firstIndex { $0.status == "retrying" } ?? 0
            #expect(first < retrying)
        }
    }

    @Test func whereNobodyListensNothingIsSent() async throws {
        try await withHarness(Self.handler, ["TROUPE_STATUS_REPORTS": "off"]) { harness, reports in
            try await harness.start()
            try await harness.submit(1, payload: #"{"tokens":10}"#)
            _ = try await harness.collect("happy-end", 1)
            #expect(reports.list == [])
            #expect(try await harness.get("/metrics").body.contains(/events_emitted_total\{[^}]*\} 0\n/))
        }
    }
}
