import EventLoops

/// Whether and when to ask again. Pure: what became of each try in, what to do out.
///
/// Who never got an answer has most likely asked at the wrong place, and is told so at once. A gateway that was there comes back: it is
/// restarted, or too busy just now.
struct Reconnection: Sendable {
    enum Action: Sendable, Hashable {
        case wait(Duration)
        case giveUp
    }

    private var backoff = Backoff(initial: .milliseconds(200), ceiling: .seconds(5))
    private var hasBeenThere = false
    private var awaySince: MonotonicTime?

    /// For a gateway that was there.
    static let patience = Duration.seconds(300)

    /// It has answered.
    mutating func connected() {
        hasBeenThere = true
        awaySince = nil
    }

    /// What it was asked for goes on: the next break is a new one.
    mutating func progressed() { backoff.reset() }

    mutating func failed(_ error: GatewayError, now: MonotonicTime = .now) -> Action {
        guard error.isTransient else { return .giveUp }
        if error.isAway {
            let awaySince = awaySince ?? now
            self.awaySince = awaySince
            guard hasBeenThere, awaySince.duration(to: now) < Self.patience else { return .giveUp }
        } else {
            hasBeenThere = true
            awaySince = nil
        }
        return .wait(max(backoff.next(), error.retryAfter ?? .zero))
    }

    /// It has answered, and ended what it had to tell before all was told.
    mutating func endedEarly() -> Duration { backoff.next() }
}
