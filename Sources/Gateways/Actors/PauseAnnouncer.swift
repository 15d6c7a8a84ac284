internal import Envelopes
internal import Logging
internal import Transports

/// Tells all sidecars which actors are paused, and again and again while they are: one that was cut off, or whose inbox is gone, hears of
/// it when it is back. What is to be told stands in the database.
struct PauseAnnouncer: Sendable {
    let store: any ActorStore
    let transport: any Transport
    private let loop: AnnouncementLoop

    private static let chunk = 500

    init(store: any ActorStore, transport: any Transport, logger: Logger) {
        self.store = store
        self.transport = transport
        loop = AnnouncementLoop(logger: logger)
    }

    /// There is something to tell.
    func wake() { loop.wake() }

    /// Runs until the task is cancelled.
    func run() async { await loop.run("pauses", announce: announce) }

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
