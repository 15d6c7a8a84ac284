import Envelopes
import EventLoops
import Foundation
import TestSupport
import Testing

/// The sidecar's program while it exports spans to a collector that does not take them.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct TracedSidecarTests {
    @Test(arguments: ["hang", "busy/1000000", "away"])
    func aCollectorInTroubleCostsNoEnvelopeNoTimeAndNoEnd(_ trouble: String) async throws {
        let collector = try ScriptServer(
            SidecarHarness.sources.appendingPathComponent("Tests/TelemetryTests/collector.py"))
        let endpoint = trouble == "away" ? "http://127.0.0.1:9" : "http://127.0.0.1:\(collector.words[0])/\(trouble)"
        let harness = try await SidecarHarness(
            handler: SidecarProcessTests.echo,
            settings: ["OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "TROUPE_CONCURRENCY": "8"])
        do {
            try await harness.declareEnds()
            try await harness.start()
            // More spans than may wait: three for each.
            let count = 1500
            let start = MonotonicTime.now
            for number in 1...count {
                try await harness.submit(number)
                // Killed with spans and deliveries in its hands.
                if number == count / 2 {
                    harness.kill(harness.sidecar)
                    try harness.startSidecar()
                }
            }
            let seen = try await harness.collect("happy-end", count)
            print("\(count) envelopes, collector \(trouble): \(start.duration(to: .now).inWords)")
            #expect(seen.count == count)
            #expect(seen.values.joined().allSatisfy { $0.headers.traceparent?.isSampled == true })
            let metrics = try await harness.get("/metrics").body
            #expect(metrics.contains(#"troupe_actor_trace_spans_total{outcome="exported"} 0"#))

            let sidecar = try #require(harness.sidecar)
            harness.kill(sidecar, SIGTERM)
            try await eventually("the sidecar has ended", within: .seconds(15)) { !sidecar.isRunning }
            #expect(sidecar.terminationStatus == 0)
            let complaints = harness.text(of: "sidecar.log").components(separatedBy: "not taken by the collector").count
            #expect(complaints <= 3, "once for each process")
        } catch {
            print(harness.text(of: "sidecar.log").suffix(4000))
            await harness.stop()
            throw error
        }
        await harness.stop()
    }
}
