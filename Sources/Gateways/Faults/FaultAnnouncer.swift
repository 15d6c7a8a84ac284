internal import Envelopes
internal import EventLoops
internal import Faults
internal import Logging
internal import Transports

/// Tells all sidecars which faults there are, and which have ended before their time; again and again until they end by
/// themselves. What is to be told stands in the database.
struct FaultAnnouncer: Sendable {
    let store: any FaultStore
    let transport: any Transport
    let logger: Logger
    private let alarm = Alarm()

    /// One that was told so long ago is told again.
    static let repetition = Duration.seconds(10)
    private static let chunk = 100
    private static let interval = Duration.seconds(5)
    /// Those that have ended can be looked at for so long.
    private static let memory = Duration.seconds(86_400)

    init(store: any FaultStore, transport: any Transport, logger: Logger) {
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
                try await store.forgetFaults(
                    endedBefore: Timestamp.microsecondsNow().later(by: .zero - Self.memory))
                backoff.reset()
                await alarm.sleep(for: Self.interval)
            } catch {
                if Task.isCancelled { return }
                logger.warning("faults wait to be told", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
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
