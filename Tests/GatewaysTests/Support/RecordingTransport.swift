import Envelopes
import Synchronization
import Transports

/// A broker for tests: remembers what it was given, fails when told to, and delivers what the test gives it.
final class RecordingTransport: Transport {
    private let state = Mutex(State())

    private struct State {
        var published: [Message] = []
        var failure: TransportError?
        var isFailing: @Sendable (Message.Destination) -> Bool = { _ in true }
        var settled: [UInt64: Settlement] = [:]
        var lastTag: UInt64 = 0
        var impediment: String?
        var blockedReason: String?
        var queues: [Source: DeliveryStream] = [:]

        mutating func queue(_ source: Source) -> DeliveryStream {
            if let queue = queues[source] { return queue }
            let queue = DeliveryStream()
            queues[source] = queue
            return queue
        }
    }

    /// To actors.
    var published: [Message] {
        state.withLock { state in
            state.published.filter { if case .actor = $0.destination { true } else { false } }
        }
    }

    /// Reports that the gateway itself has published.
    var reports: [StatusReport] {
        state.withLock { $0.published }.compactMap { message in
            guard case .statusReports = message.destination else { return nil }
            return try? StatusReport(parsing: message.body)
        }
    }

    /// Ids that were told to be cancelled, message by message.
    func cancellations(to destination: Message.Destination = .control) -> [[String]] {
        controls(to: destination).compactMap { if case .cancel(let ids) = $0 { ids } else { nil } }
    }

    /// What all were told of actors, message by message.
    func pauses() -> [[ActorPause]] {
        controls(to: .control).compactMap { if case .pauses(let pauses) = $0 { pauses } else { nil } }
    }

    func controls(to destination: Message.Destination) -> [ControlMessage] {
        state.withLock { $0.published }.filter { $0.destination == destination }.compactMap {
            try? ControlMessage.parsing($0.body)
        }
    }

    /// Ids whose cancellation was taken back.
    var uncancelled: [String] {
        state.withLock { $0.published }.flatMap { message -> [String] in
            guard case .uncancel(let ids) = try? ControlMessage.parsing(message.body) else { return [] }
            return ids
        }
    }

    var acknowledgedCount: Int { state.withLock { $0.settled.values.count { $0 == .acknowledge } } }

    var requeuedCount: Int { state.withLock { $0.settled.values.count { $0 == .requeue } } }

    func messages(of id: String) -> [String] {
        published.filter { $0.id == id }.map { String(decoding: $0.body, as: UTF8.self) }
    }

    /// - Parameter isMeant: which destinations it is about.
    func fail(
        with error: TransportError?, to isMeant: @escaping @Sendable (Message.Destination) -> Bool = { _ in true }
    ) {
        state.withLock { ($0.failure, $0.isFailing) = (error, isMeant) }
    }

    func block(_ reason: String?) { state.withLock { $0.blockedReason = reason } }
    func impede(_ reason: String?) { state.withLock { $0.impediment = reason } }

    func deliver(_ body: [UInt8], from source: Source, deadLetter: DeadLetter? = nil) {
        state.withLock { state in
            state.lastTag += 1
            state.queue(source).yield(
                Delivery(
                    token: .init(generation: 1, tag: state.lastTag), source: source, body: body, isRedelivered: false,
                    deadLetter: deadLetter))
        }
    }

    func report(_ body: [UInt8]) { deliver(body, from: .statusReports) }
    func report(_ report: StatusReport) { self.report(report.encoded()) }

    // MARK: Transport

    func disconnect(from source: Source) {}

    func declare(_ source: Source) async {}

    func deliveries(from source: Source, prefetch: Int) async -> DeliveryStream {
        state.withLock { $0.queue(source) }
    }

    func pause(_ source: Source) async {}
    func resume(_ source: Source) async {}

    func publish(_ message: Message, timeout: Duration?) async throws(TransportError) {
        let failure = state.withLock { state in
            let failure = state.isFailing(message.destination) ? state.failure : nil
            if failure == nil { state.published.append(message) }
            return failure
        }
        if let failure { throw failure }
        // As at a broker: it stands behind what is there.
        if case .statusReports = message.destination { report(message.body) }
    }

    func settle(_ delivery: Delivery, _ settlement: Settlement) async {
        state.withLock { $0.settled[delivery.token.tag] = settlement }
    }

    func isLive(_ delivery: Delivery) async -> Bool { true }
    func stopConsuming() async { for queue in state.withLock({ $0.queues }).values { queue.finish() } }
    func shutdown() async {}
    func blockedReason() async -> String? { state.withLock { $0.blockedReason } }
    func impediment() async -> String? { state.withLock { $0.impediment } }
}
