internal import Envelopes
internal import EventLoops
internal import Logging
internal import Telemetry
internal import Transports

/// Tells all sidecars which envelopes are cancelled. What is to be told stands in the database, so it is told at last, however long the
/// broker is away and whichever gateway has taken it in.
struct CancellationAnnouncer: Sendable {
    private let store: any CancellationStore
    private let transport: any Transport
    private let metrics: GatewayMetrics
    private let loop: AnnouncementLoop

    /// Ids in one message.
    static let chunk = 500

    init(store: any CancellationStore, transport: any Transport, metrics: GatewayMetrics, logger: Logger) {
        self.store = store
        self.transport = transport
        self.metrics = metrics
        loop = AnnouncementLoop(logger: logger)
    }

    /// There is something to tell.
    func wake() { loop.wake() }

    /// Runs until the task is cancelled.
    func run() async {
        var lastCleaning: MonotonicTime?
        await loop.run("cancellations") {
            try await announce()
            if lastCleaning.map({ $0.duration(to: .now) >= .seconds(3600) }) ?? true {
                try await store.forgetOldCancellations()
                lastCleaning = .now
            }
        }
    }

    private func announce() async throws {
        while true {
            let ids = try await store.unannouncedCancellations(limit: Self.chunk)
            guard !ids.isEmpty else { return }
            try await transport.publish(
                Message(to: .control, id: "", body: ControlMessage.cancel(ids).encoded()), timeout: .seconds(10))
            metrics.cancellationsAnnounced.increment(by: ids.count)
            try await store.markAnnounced(ids)
        }
    }
}
