import Envelopes
import Synchronization
import Transports

/// A broker for tests: remembers what it was given, fails when told to, and delivers what the test reports.
final class RecordingTransport: Transport {
    private let state = Mutex(State())
    private let reports: AsyncStream<Delivery>
    private let reportsContinuation: AsyncStream<Delivery>.Continuation

    private struct State {
        var published: [Message] = []
        var failure: TransportError?
        var settled: [UInt64: Settlement] = [:]
        var lastTag: UInt64 = 0
        var impediment: String?
    }

    init() { (reports, reportsContinuation) = AsyncStream.makeStream() }

    var published: [Message] { state.withLock { $0.published } }
    var acknowledgedCount: Int { state.withLock { $0.settled.values.count { $0 == .acknowledge } } }

    func messages(of id: String) -> [String] {
        published.filter { $0.id == id }.map { String(decoding: $0.body, as: UTF8.self) }
    }

    func fail(with error: TransportError?) { state.withLock { $0.failure = error } }
    func impede(_ reason: String?) { state.withLock { $0.impediment = reason } }

    func report(_ body: [UInt8]) {
        let tag = state.withLock { state in
            state.lastTag += 1
            return state.lastTag
        }
        reportsContinuation.yield(
            Delivery(
                token: .init(generation: 1, tag: tag), source: .statusReports, body: body, isRedelivered: false,
                priorDeliveries: 0))
    }

    func report(_ report: StatusReport) { self.report(report.encoded()) }

    // MARK: Transport

    func declare(_ source: Source) async {}

    func deliveries(from source: Source, prefetch: Int) async -> AsyncStream<Delivery> { reports }

    func publish(_ message: Message, timeout: Duration?) async throws(TransportError) {
        let failure = state.withLock { state in
            if state.failure == nil { state.published.append(message) }
            return state.failure
        }
        if let failure { throw failure }
    }

    func settle(_ delivery: Delivery, _ settlement: Settlement) async {
        state.withLock { $0.settled[delivery.token.tag] = settlement }
    }

    func isLive(_ delivery: Delivery) async -> Bool { true }
    func stopConsuming() async { reportsContinuation.finish() }
    func shutdown() async {}
    func impediment() async -> String? { state.withLock { $0.impediment } }
}
