import Envelopes
import EventLoops
import Logging
import Synchronization
import TestSupport
import Testing
import Transports

@testable import Sidecars

/// Events while the broker does not take what it is given: what the real one can hardly be brought to.
@Suite(.timeLimit(.minutes(1)))
struct EventRelayTests {
    /// Fails as told, and remembers what it was given.
    private final class FailingReporter: Reporter {
        private let state: Mutex<(failures: [TransportError.Code], all: [StatusReport], delivered: [StatusReport])>

        init(_ failures: [TransportError.Code]) { state = Mutex((failures, [], [])) }

        var all: [StatusReport] { state.withLock(\.all) }
        var delivered: [StatusReport] { state.withLock(\.delivered) }

        func prepare() async {}
        func post(_ report: StatusReport) async {}
        func deliver(_ report: StatusReport) async throws(TransportError) {
            let failure = state.withLock { state in
                state.all.append(report)
                if let failure = state.failures.popLast() { return failure as TransportError.Code? }
                state.delivered.append(report)
                return nil
            }
            if let failure { throw TransportError(failure, "as told") }
        }
    }

    /// Emits so many events in bursts, and returns how long the end of the call took.
    private func emit(_ count: Int, bytes: Int = 1, to reporter: FailingReporter) async throws -> Duration {
        let loop = EventLoop(name: "test")
        let report = StatusReport(
            kind: .emitted, eventID: "e/0.0.0.1/running/emitted/c", envelopeID: "e", status: "running", actors: ["a"],
            currentActorIndex: 0)
        let relay = EventRelay(
            EventLimits(), as: report, reporter: reporter, on: loop,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let intake = relay.intake
        let padding = String(repeating: "x", count: bytes)
        await Task(executorPreference: loop) {
            for number in 0..<count {
                let data = #"{"type":"token","data":{"n":\#(number),"x":"\#(padding)"}}"#
                if let event = try? RawJSON(Array(data.utf8)) { intake(event) }
                if number % 10 == 9 { await loop.sleep(for: .milliseconds(1)) }
            }
        }.value
        let begin = ContinuousClock.now
        _ = try await within(.seconds(20)) { await relay.finish() }
        return begin.duration(to: .now)
    }

    private func numbers(_ reports: [StatusReport]) -> [Int] {
        reports.flatMap(\.events).compactMap { $0.data["n"]?.integer }
    }

    @Test func whatGotLostIsSentAgainUnderTheSameIdAndInOrder() async throws {
        let reporter = FailingReporter([.refused, .connectionLost, .timeout, .connectionLost])
        _ = try await emit(100, to: reporter)
        #expect(numbers(reporter.delivered) == Array(0..<100))
        #expect(Set(reporter.all.prefix(5).map(\.eventID)) == ["e/0.0.0.1/running/emitted/c.1"])
        let ids = reporter.delivered.map(\.eventID)
        #expect(Set(ids).count == ids.count)
    }

    @Test func aBrokerThatRefusesEverythingHoldsUpNoResult() async throws {
        let reporter = FailingReporter(Array(repeating: .refused, count: 10_000))
        let time = try await emit(300, bytes: 2000, to: reporter)
        #expect(reporter.delivered == [])
        #expect(time < .seconds(5))
        // Nothing was told of a later portion before an earlier one was given up.
        #expect(numbers(reporter.all).count >= 300)
    }

    @Test func anEndingSidecarWaitsForNothing() async throws {
        let time = try await emit(50, to: FailingReporter(Array(repeating: .stopped, count: 100)))
        #expect(time < .seconds(1))
    }
}
