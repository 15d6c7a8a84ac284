internal import EventLoops
internal import Logging
internal import PostgreSQL
internal import Synchronization

/// Wakes the streams of an envelope when it has moved, on whichever gateway that was written.
///
/// Carries no updates, only the news that there are some: each stream reads them from the table at its own pace, so a slow one holds
/// nothing in memory.
final class UpdateHub: Sendable {
    private let listener: NotificationListener
    let settings: Settings
    private let logger: Logger
    private let state = Mutex(State())

    struct Settings: Sendable {
        /// How often streams look even without a notification, and whether a keep-alive is due.
        var pollInterval: Duration
        /// The same while notifications can't be heard.
        var deafPollInterval = Duration.seconds(1)
    }

    private struct State {
        var subscriptions: [String: [UInt64: AsyncStream<Void>.Continuation]] = [:]
        var lastNumber: UInt64 = 0
        var isListening = false
        var isFinished = false
    }

    init(listener: NotificationListener, settings: Settings, logger: Logger) {
        self.listener = listener
        self.settings = settings
        self.logger = logger
    }

    /// Runs until `finish()`, or until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.listener.run { event in self.handle(event) }
            }
            while !Task.isCancelled && !self.state.withLock({ $0.isFinished }) {
                let isListening = self.state.withLock { $0.isListening }
                try? await Task.sleep(for: isListening ? self.settings.pollInterval : self.settings.deafPollInterval)
                self.wakeAll()
            }
            group.cancelAll()
        }
    }

    /// Ends all streams, and each new one at once.
    func finish() {
        let subscriptions = state.withLock { state in
            state.isFinished = true
            return state.subscriptions
        }
        for continuation in subscriptions.values.flatMap(\.values) { continuation.finish() }
    }

    /// Wake-ups for one envelope, joined while nobody waits for them. Ends with the hub. Leaves when the stream is dropped.
    func wakeUps(for envelopeID: String) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state -> UInt64? in
            guard !state.isFinished else { return nil }
            state.lastNumber += 1
            state.subscriptions[envelopeID, default: [:]][state.lastNumber] = continuation
            return state.lastNumber
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.leave(envelopeID, number) }
        return stream
    }

    var isListening: Bool { state.withLock { $0.isListening } }

    private func leave(_ envelopeID: String, _ number: UInt64) {
        state.withLock { state in
            state.subscriptions[envelopeID]?[number] = nil
            if state.subscriptions[envelopeID]?.isEmpty == true { state.subscriptions[envelopeID] = nil }
        }
    }

    private func handle(_ event: NotificationListener.Event) {
        switch event {
        case .notification(let notification):
            let continuations = state.withLock { $0.subscriptions[notification.payload] ?? [:] }
            for continuation in continuations.values { continuation.yield() }
        case .listening:
            state.withLock { $0.isListening = true }
            wakeAll()
        case .interrupted(let error):
            state.withLock { $0.isListening = false }
            logger.warning("no notifications from the database; streams poll", metadata: ["error": "\(error)"])
        }
    }

    private func wakeAll() {
        let subscriptions = state.withLock { $0.subscriptions }
        for continuation in subscriptions.values.flatMap(\.values) { continuation.yield() }
    }
}
