import Envelopes
import EventLoops
import Testing
import Transports

@testable import Sidecars

struct SidecarMetricsTests {
    private let metrics = SidecarMetrics(namespace: "n", queue: "q")

    private func value(_ series: String) -> Double? {
        metrics.registry.exposition().split(separator: "\n").first { $0.hasPrefix("\(series) ") }
            .flatMap { Double($0.dropFirst(series.count + 1)) }
    }

    private func delivery(queuedAt: Int?, publishedAt: Int? = nil) -> Delivery {
        Delivery(
            token: .init(generation: 1, tag: 1), source: .actor("a"), body: [1], isRedelivered: false,
            publishedAt: publishedAt, queuedAt: queuedAt)
    }

    /// In whole seconds on both sides; a clock that is behind makes no negative wait.
    @Test(arguments: [(0, "0.0"), (-30, "0.0"), (7, "10.0"), (100_000, "+Inf")])
    func aWaitIsMeasuredFromWhenTheMessageCameIntoTheQueue(_ age: Int, _ bucket: String) {
        let now = Int(Timestamp.microsecondsNow() / 1_000_000)
        metrics.arrived(delivery(queuedAt: now - age, publishedAt: 1))
        // The second may just have changed.
        let wider = ["0.0": "1.0"][bucket] ?? bucket
        #expect(value(#"n_queue_wait_seconds_bucket{queue="q",transport="rabbitmq",le="\#(wider)"}"#) == 1)
        #expect(value(#"n_queue_wait_seconds_count{queue="q",transport="rabbitmq"}"#) == 1)
    }

    @Test func withoutATimeThereIsNoWait() {
        metrics.arrived(delivery(queuedAt: nil))
        #expect(value(#"n_queue_wait_seconds_count{queue="q",transport="rabbitmq"}"#) == 0)
        #expect(value(#"n_messages_received_total{queue="q",transport="rabbitmq"}"#) == 1)
        #expect(delivery(queuedAt: nil, publishedAt: 5).queuedAt == 5)
    }

    /// What a handler's side calls its errors is up to it: as labels there are only so many.
    @Test func labelsHaveValuesFromAList() throws {
        let before = metrics.registry.exposition().split(separator: "\n").count
        for code in ["timeout", "my own \(1)", "my own \(2)"] {
            var machine = DeliveryMachine(DeliveryPolicy(actorName: "a"), body: Array(Self.body.utf8))
            _ = machine.begin(now: .now)
            _ = machine.called(.success(Array(#"[{"error":"\#(code)"}]"#.utf8)), now: .now)
            metrics.settled(machine, since: .now)
        }
        #expect(value(#"n_runtime_errors_total{queue="q",error_type="other"}"#) == 2)
        #expect(value(#"n_runtime_errors_total{queue="q",error_type="timeout"}"#) == 1)
        #expect(value(#"n_messages_failed_total{queue="q",reason="runtime_error"}"#) == 3)
        #expect(metrics.registry.exposition().split(separator: "\n").count == before, "no series is new")
    }

    private static let body = #"{"id":"e","route":{"actors":["a"],"current":0},"payload":1}"#

    @Test(arguments: [
        ("runtime_error", "crash"), ("replaced", "replaced"), ("StorageError", "storage"), ("X", "error"),
    ])
    func callsAgainAreCountedByReason(_ error: String, _ reason: String) {
        metrics.calledAgain(after: error)
        #expect(value(#"n_calls_repeated_total{queue="q",reason="\#(reason)"}"#) == 1)
    }
}
