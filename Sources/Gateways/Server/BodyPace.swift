internal import EventLoops

/// Whether a request's body comes fast enough. Pure: what happens and when comes in.
///
/// Only the time counts in which we wait for the client: a body that we take slowly is not the client's fault.
struct BodyPace: Sendable, Hashable {
    /// Bytes per second.
    private let rate: Int
    private let patience: Duration
    private var received = 0
    private var waited = Duration.zero
    private var waitsSince: MonotonicTime?

    /// - Parameter patience: that every body gets, before its pace counts.
    init(rate: Int, patience: Duration) {
        self.rate = rate
        self.patience = patience
    }

    mutating func waits(now: MonotonicTime) { waitsSince = waitsSince ?? now }

    mutating func receives(_ count: Int, now: MonotonicTime) {
        waited = wait(now)
        waitsSince = nil
        received += count
    }

    /// When it is too slow, unless more comes; `nil` while we don't wait.
    func deadline(now: MonotonicTime) -> MonotonicTime? {
        guard rate > 0, waitsSince != nil else { return nil }
        let allowed = patience + .seconds(Double(received) / Double(rate))
        return now.advanced(by: allowed - wait(now))
    }

    private func wait(_ now: MonotonicTime) -> Duration { waited + (waitsSince?.duration(to: now) ?? .zero) }
}
