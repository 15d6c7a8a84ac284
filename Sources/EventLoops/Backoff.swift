/// Waits between tries: each about `factor` times the one before, up to a ceiling, with full jitter so that many who
/// lost the same broker do not come back at the same moment.
public struct Backoff: Sendable, Hashable {
    public var initial: Duration
    public var factor: Double
    public var ceiling: Duration
    /// Tries so far.
    public private(set) var tries = 0

    public init(initial: Duration = .milliseconds(100), factor: Double = 2, ceiling: Duration = .seconds(10)) {
        self.initial = initial
        self.factor = factor
        self.ceiling = ceiling
    }

    /// The wait before the next try: between half of the step and the whole of it.
    /// - Parameter random: 0..<1, where in between.
    public mutating func next(random: Double = .random(in: 0..<1)) -> Duration {
        var step = initial
        for _ in 0..<tries where step < ceiling { step = step * factor }
        tries += 1
        return min(step, ceiling) * (0.5 + random / 2)
    }

    public mutating func reset() { tries = 0 }
}
