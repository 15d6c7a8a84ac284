internal import EventLoops

/// When to fetch the signing keys again. Pure: the time comes in.
///
/// Tokens with made-up key ids must not make us call the issuer for each of them.
struct KeySetRefresh: Sendable, Hashable {
    /// Between two fetches at least.
    var minimumInterval: Duration
    /// After which the keys are fetched without being asked for.
    var interval: Duration
    private var lastAttempt: MonotonicTime?

    init(minimumInterval: Duration = .seconds(30), interval: Duration) {
        self.minimumInterval = minimumInterval
        self.interval = interval
    }

    mutating func begin(now: MonotonicTime) { lastAttempt = now }

    /// Whether a token by an unknown key is reason enough to fetch.
    func mayBegin(now: MonotonicTime) -> Bool {
        lastAttempt.map { $0.duration(to: now) >= minimumInterval } ?? true
    }

    /// From one fetch to the next. Without any keys no token counts: that is worth a try every few seconds.
    func wait(hasKeys: Bool) -> Duration { hasKeys ? interval : min(interval, .seconds(5)) }
}
