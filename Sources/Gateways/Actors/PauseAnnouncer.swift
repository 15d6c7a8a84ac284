internal import Envelopes
internal import EventLoops
internal import Logging
internal import Transports

/// Tells all sidecars which actors are paused, and again and again while they are: one that was cut off, or whose inbox is gone, hears of
/// it when it is back. What is to be told stands in the database.
struct PauseAnnouncer: Sendable {
    let store: any ActorStore
    let transport: any Transport
    let logger: Logger
    private let alarm = Alarm()

    private static let chunk = 500
    private static let interval = Duration.seconds(5)

    init(store: any ActorStore, transport: any Transport, logger: Logger) {
        self.store = store
        self.transport = transport
        self.logger = logger
    }

    /// There is something to tell.
    func wake() { Task { await alarm.ring() } }

    /// Runs until the task is cancelled.
    func run() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                try await announce()
                backoff.reset()
                await alarm.sleep(for: Self.interval)
            } catch {
                if Task.isCancelled { return }
                logger.warning("pauses wait to be told", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    private func announce() async throws {
        while true {
            let pauses = try await store.pausesToAnnounce(limit: Self.chunk)
            guard !pauses.isEmpty else { return }
            try await transport.publish(
                Message(to: .control, id: "", body: ControlMessage.pauses(pauses).encoded()), timeout: .seconds(10))
            try await store.markAnnounced(pauses)
        }
    }
}
