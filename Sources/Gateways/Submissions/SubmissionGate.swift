internal import EventLoops
internal import Synchronization
internal import Transports

/// Whether the gateway takes more work. What it has taken is safe in the database; but a broker that asks for less, or one that is away
/// for so long that the outbox grows beyond its limit, is passed on to those who bring work instead of being hidden from them.
final class SubmissionGate: Sendable {
    private let store: any OutboxStore
    private let transport: any Transport
    private let limit: Int
    private let horizon: Duration
    private let state: Mutex<State>

    private struct State {
        /// How many more until the next look.
        var room: Int
        /// Since the last look began: it may not have seen them.
        var entered = 0
        var blocked: String?
    }

    private static let interval = Duration.seconds(1)

    /// - Parameters:
    ///   - limit: messages in the outbox.
    ///   - horizon: those that start later don't count.
    init(store: any OutboxStore, transport: any Transport, limit: Int, horizon: Duration) {
        self.store = store
        self.transport = transport
        self.limit = limit
        self.horizon = horizon
        state = Mutex(State(room: limit))
    }

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: Self.interval)
        }
    }

    func look() async {
        state.withLock { $0.entered = 0 }
        let blocked = await transport.blockedReason()
        // Without a database nothing is taken anyway.
        let length = (try? await store.outboxLength(within: horizon, upTo: limit)) ?? 0
        state.withLock { state in
            state.room = limit - length - state.entered
            state.blocked = blocked
        }
    }

    /// Counts what is to be accepted; with 0 it only says whether anything would be.
    /// - Throws: 503 while it takes nothing.
    func enter(_ count: Int) throws(Problem) {
        let reason = state.withLock { state -> String? in
            if let blocked = state.blocked { return "the broker takes no messages just now: \(blocked)" }
            guard state.room > 0 else { return "\(limit) accepted envelopes wait for the broker already" }
            state.room -= count
            state.entered += count
            return nil
        }
        if let reason { throw Problem(.overloaded, reason, retryAfter: 2) }
    }

    /// Some of those that had entered need no room: they were there already, or were refused.
    func leave(_ count: Int) {
        state.withLock { state in
            state.room = min(limit, state.room + count)
            // A look may have begun since.
            state.entered = max(0, state.entered - count)
        }
    }
}
