internal import Envelopes
internal import Faults
internal import Logging
internal import Transports

/// Tells all sidecars which faults there are, and which have ended before their time; again and again until they end by
/// themselves. What is to be told stands in the database.
struct FaultAnnouncer: Sendable {
    let store: any FaultStore
    let transport: any Transport
    private let loop: AnnouncementLoop

    /// One that was told so long ago is told again.
    static let repetition = Duration.seconds(10)
    private static let chunk = 100
    /// Those that have ended can be looked at for so long.
    private static let memory = Duration.seconds(86_400)

    init(store: any FaultStore, transport: any Transport, logger: Logger) {
        self.store = store
        self.transport = transport
        loop = AnnouncementLoop(logger: logger)
    }

    /// There is something to tell.
    func wake() { loop.wake() }

    /// Runs until the task is cancelled.
    func run() async {
        await loop.run("faults") {
            try await announce()
            try await store.forgetFaults(endedBefore: Timestamp.microsecondsNow().later(by: .zero - Self.memory))
        }
    }

    private func announce() async throws {
        while true {
            let states = try await store.faultsToAnnounce(limit: Self.chunk, now: Timestamp.microsecondsNow())
            guard !states.isEmpty else { return }
            try await transport.publish(
                Message(to: .control, id: "", body: ControlMessage.faults(states.map(\.json)).encoded()),
                timeout: .seconds(10))
            try await store.markAnnounced(states, now: Timestamp.microsecondsNow())
        }
    }
}
