internal import EventLoops
internal import Envelopes
internal import Glibc

/// When an envelope that failed at an actor is tried there again, and when not any more.
public struct RetryPolicy: Sendable, Hashable {
    /// Attempts in all, the first included: 1 means that nothing is tried again.
    public var attempts: Int
    /// Before the second attempt; each further wait is `factor` times as long, up to `ceiling`.
    public var initialDelay: Duration
    public var factor: Double
    public var ceiling: Duration
    /// Draws each wait between nothing and the full step, so that what failed together does not come back together.
    public var hasJitter: Bool
    /// POSIX extended regular expressions for whole error types or codes (`ValueError`, `timeout`, `.*Error`). Empty: all.
    public var retried: [String]
    /// Those that are final, also where `retried` has them.
    public var final: [String]

    public init(
        attempts: Int = 1, initialDelay: Duration = .seconds(1), factor: Double = 2, ceiling: Duration = .seconds(300),
        hasJitter: Bool = true, retried: [String] = [], final: [String] = []
    ) {
        self.attempts = attempts
        self.initialDelay = initialDelay
        self.factor = factor
        self.ceiling = ceiling
        self.hasJitter = hasJitter
        self.retried = retried
        self.final = final
    }

    /// The wait before the next attempt; `nil` when there is none.
    /// - Parameters:
    ///   - attempt: the one that failed, from 1.
    ///   - error: its type and code: each is looked for.
    ///   - random: 0..<1.
    func delay(after attempt: Int, error: [String], random: Double) -> Duration? {
        guard attempt < attempts else { return nil }
        func isListed(_ patterns: [String]) -> Bool {
            patterns.contains { pattern in error.contains { matches(pattern, $0) } }
        }
        guard retried.isEmpty || isListed(retried), !isListed(final) else { return nil }
        var step = initialDelay
        for _ in 1..<attempt where step < ceiling { step = step * factor }
        step = min(step, ceiling)
        return hasJitter ? max(.milliseconds(50), step * random) : step
    }

    /// Whether a pattern of `retried` or `final` can be used.
    static func isPattern(_ text: String) -> Bool {
        var expression = regex_t()
        guard regcomp(&expression, "^(\(text))$", REG_EXTENDED | REG_NOSUB) == 0 else { return false }
        regfree(&expression)
        return true
    }

    private func matches(_ pattern: String, _ text: String) -> Bool {
        var expression = regex_t()
        guard regcomp(&expression, "^(\(pattern))$", REG_EXTENDED | REG_NOSUB) == 0 else { return false }
        defer { regfree(&expression) }
        return regexec(&expression, text, 0, nil, 0) == 0
    }
}

extension RetryPolicy {
    /// The policy as a route overrides it, in the header `troupe-retry`: `{"attempts", "initial_delay_ms", "factor",
    /// "max_delay_ms", "jitter", "retry_on": [...], "final_on": [...]}`. What is missing, or out of the setting's
    /// range, stays as it is.
    func overridden(by header: RawJSON?) -> RetryPolicy {
        guard let header, header.kind == .object else { return self }
        var policy = self
        if let attempts = header["attempts"]?.integer, (1...1000).contains(attempts) { policy.attempts = attempts }
        if let delay = header["initial_delay_ms"]?.integer, (0...2_592_000_000).contains(delay) {
            policy.initialDelay = .milliseconds(delay)
        }
        if let factor = header["factor"]?.double, (1...100).contains(factor) { policy.factor = factor }
        if let ceiling = header["max_delay_ms"]?.integer, (0...2_592_000_000).contains(ceiling) {
            policy.ceiling = .milliseconds(ceiling)
        }
        if let jitter = header["jitter"]?.boolean { policy.hasJitter = jitter }
        if let list = header["retry_on"]?.patterns { policy.retried = list }
        if let list = header["final_on"]?.patterns { policy.final = list }
        return policy
    }
}

extension RawJSON {
    fileprivate var patterns: [String]? {
        guard kind == .array else { return nil }
        // They come from whoever submits: an expression that counts can take gigabytes to compile.
        return elements.prefix(50).compactMap(\.string).filter { pattern in
            pattern.utf8.count <= 200 && !pattern.contains { "{\\".contains($0) } && RetryPolicy.isPattern(pattern)
        }
    }
}
