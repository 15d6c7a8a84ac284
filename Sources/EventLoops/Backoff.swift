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
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        var step = initial
        for _ in 0..<tries where step < ceiling { step = step * factor }
        tries += 1
        return min(step, ceiling) * Double.random(in: 0.5...1, using: &generator)
    }

    public mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    public mutating func reset() { tries = 0 }
}
