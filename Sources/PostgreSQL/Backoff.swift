/// Waits between tries: doubling from `first` to `limit`, each shortened at random by up to a half so that many callers spread out.
struct Backoff {
    private let first: Duration
    private let limit: Duration
    private var tries = 0

    init(first: Duration = .milliseconds(100), limit: Duration = .seconds(5)) {
        self.first = first
        self.limit = limit
    }

    mutating func next() -> Duration {
        let full = min(limit, first * (1 << min(tries, 20)))
        tries += 1
        return full * Double.random(in: 0.5...1)
    }

    mutating func reset() { tries = 0 }
}
