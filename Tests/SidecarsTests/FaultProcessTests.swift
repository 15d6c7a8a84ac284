import Envelopes
import Faults
import Foundation
import TestSupport
import Testing
import Transports

@testable import Sidecars

/// The sidecar's program with faults, on the real broker, without any gateway but what is told here.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct FaultProcessTests {
    private func tell(_ harness: SidecarHarness, _ text: String, id: String) async throws {
        let fault = try Faults.Fault(
            request: RawJSON(Array(text.utf8)), id: id, seed: 1, now: Timestamp.microsecondsNow(), bounds: FaultBounds()
        )
        let message = ControlMessage.faults([FaultState(fault).json])
        try await harness.transport.publish(
            Message(to: .control, id: "", body: message.encoded()), timeout: .seconds(20))
    }

    private func withHarness(
        _ settings: [String: String], _ body: (SidecarHarness) async throws -> Void
    ) async throws {
        let harness = try await SidecarHarness(handler: SidecarProcessTests.echo, settings: settings)
        do {
            try await harness.declareEnds()
            try await body(harness)
        } catch {
            print(harness.text(of: "sidecar.log"))
            await harness.stop()
            throw error
        }
        await harness.stop()
    }

    @Test("a crash kills the sidecar's own runtime, and a fault ends though nobody tells")
    func ownRuntime() async throws {
        let runtime = SidecarHarness.sources.appendingPathComponent("actors/runtime/troupe_runtime.py").path
        let settings = [
            "TROUPE_RUNTIME_COMMAND": "exec python3 \(runtime)", "TROUPE_HANDLER": "handler.process",
            "TROUPE_FAULTS_ENABLED": "true",
        ]
        try await withHarness(settings) { harness in
            try harness.startSidecar(["PYTHONPATH": harness.folder.path, "HITS": harness.folder.path + "/hits"])
            try await harness.ready()
            // It is told twice, as gateways do.
            for _ in 0..<2 { try await tell(harness, #"{"kind":"crash","actor":"*","times":1}"#, id: "c") }
            try await eventually("it hears of it") { harness.text(of: "sidecar.log").contains("fault begins") }
            try await harness.submit(1)
            try await eventually("it dies") { harness.text(of: "sidecar.log").contains("the runtime has ended") }
            let log = harness.text(of: "sidecar.log")
            #expect(log.components(separatedBy: "fault begins").count == 2 && log.contains("signal 9"))
            let metrics = try await harness.get("/metrics").body.split(separator: "\n")
            #expect(metrics.contains { $0.contains("faults_injected_total{") && $0.contains(#"kind="crash""#) })

            try await eventually("the second call has gone well") {
                try await harness.get("/metrics").body.split(separator: "\n").contains {
                    $0.contains("messages_processed_total{") && $0.contains(#"status="success""#) && $0.hasSuffix(" 1")
                }
            }
            try await tell(harness, #"{"kind":"error","actor":"worker","duration":"1s"}"#, id: "e")
            try await eventually("it hears of that, too") { harness.text(of: "sidecar.log").contains(#""e""#) }
            try await harness.submit(2)
            let failed = try await harness.collect("error-end", 1)
            let payload = try #require(failed["e2"]?.first?.payload)
            #expect(payload["error"]?.string == "injected_error")
            #expect(payload["details"]?["injected"]?.boolean == true && payload["details"]?["fault"]?.string == "e")
            try await eventually("it ends") { harness.text(of: "sidecar.log").contains("fault ends") }
            try await harness.submit(3)
            let done = try await harness.collect("happy-end", 2)
            #expect(Set(done.keys) == ["e1", "e3"])
        }
    }

    @Test("without the setting a sidecar ignores them, and says so once")
    func ignored() async throws {
        try await withHarness([:]) { harness in
            try await harness.start()
            for id in ["x", "y"] { try await tell(harness, #"{"kind":"error","actor":"worker"}"#, id: id) }
            try await eventually("it says so") { harness.text(of: "sidecar.log").contains("faults are ignored here") }
            try await harness.submit(1)
            _ = try await harness.collect("happy-end", 1)
            #expect(harness.text(of: "sidecar.log").components(separatedBy: "faults are ignored").count == 2)
        }
    }
}
