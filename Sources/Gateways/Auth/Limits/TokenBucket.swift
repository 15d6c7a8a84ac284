internal import EventLoops

/// Lets requests through at a rate, a second's worth of them at once. Pure: the time comes in.
struct TokenBucket: Sendable, Hashable {
    private var level: Double
    private var time: MonotonicTime

    init(rate: Double, now: MonotonicTime) {
        level = Self.capacity(rate)
        time = now
    }

    private static func capacity(_ rate: Double) -> Double { max(1, rate) }

    /// - Parameter rate: requests per second.
    /// - Returns: `nil` when the request may go through, else how long until one may.
    mutating func take(rate: Double, now: MonotonicTime) -> Duration? {
        fill(rate, now)
        guard level >= 1 else { return .seconds((1 - level) / rate) }
        level -= 1
        return nil
    }

    /// Whether it is as good as new, and need not be kept.
    mutating func isFull(rate: Double, now: MonotonicTime) -> Bool {
        fill(rate, now)
        return level >= Self.capacity(rate)
    }

    private mutating func fill(_ rate: Double, _ now: MonotonicTime) {
        let elapsed = max(.zero, time.duration(to: now))
        level = min(Self.capacity(rate), level + elapsed.inSeconds * rate)
        time = max(time, now)
    }
}
