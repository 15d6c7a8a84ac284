internal import EventLoops

/// Decides which spans are sent when. Pure: events in, the next action out.
///
/// Memory is bounded and nobody ever waits: what does not fit, or is not taken after a few tries, is dropped and counted.
struct SpanBatches {
    enum Action: Equatable {
        /// Call `waited` after this, unless another action comes before.
        case wait(Duration)
        /// Send these and call `sent`.
        case send([Span])
        /// Closed, and there is nothing left.
        case end
    }

    enum Outcome: Equatable {
        /// All but so many, which the collector does not want.
        case taken(rejected: Int = 0)
        /// It may be taken later; the collector says when, or nobody does.
        case busy(retryAfter: Duration? = nil)
        /// It never will be.
        case refused
    }

    static let batchSize = 512
    /// Spans that wait, beside those that are being sent.
    static let capacity = 2048
    static let interval = Duration.seconds(5)
    static let tries = 5
    /// A collector cannot ask for a longer pause.
    static let longestPause = Duration.seconds(60)

    private enum State {
        case idle
        /// Until the interval is over or there is a batch.
        case gathering
        case sending([Span])
        case pausing([Span])
    }

    private var state = State.idle
    private var waiting: [Span] = []
    private var backoff = Backoff(initial: .seconds(1), ceiling: .seconds(16))
    private var isClosing = false
    private(set) var exported = 0
    private(set) var dropped = 0

    mutating func add(_ span: Span) -> Action? {
        guard waiting.count < Self.capacity else {
            dropped += 1
            return nil
        }
        waiting.append(span)
        switch state {
        case .idle: return next()
        case .gathering: return waiting.count >= Self.batchSize ? next() : nil
        case .sending, .pausing: return nil
        }
    }

    mutating func waited() -> Action? {
        switch state {
        case .gathering: return send(takeBatch())
        case .pausing(let batch): return send(batch)
        case .idle, .sending: return nil
        }
    }

    /// - Parameter random: 0..<1, for the pause.
    mutating func sent(_ outcome: Outcome, random: Double = .random(in: 0..<1)) -> Action? {
        guard case .sending(let batch) = state else { return nil }
        switch outcome {
        case .taken(let rejected):
            let rejected = min(max(rejected, 0), batch.count)
            exported += batch.count - rejected
            dropped += rejected
        case .busy(let pause) where backoff.tries < Self.tries - 1:
            state = .pausing(batch)
            let step = backoff.next(random: random)
            return .wait(min(pause ?? step, Self.longestPause))
        case .busy, .refused:
            dropped += batch.count
        }
        backoff.reset()
        state = .idle
        return next()
    }

    /// From now on nothing waits for more.
    mutating func close() -> Action? {
        isClosing = true
        switch state {
        case .idle, .gathering: return next()
        case .pausing(let batch): return send(batch)
        case .sending: return nil
        }
    }

    /// Nobody is being sent to: what now?
    private mutating func next() -> Action? {
        if waiting.count >= Self.batchSize || (isClosing && !waiting.isEmpty) { return send(takeBatch()) }
        if isClosing { return .end }
        if waiting.isEmpty { return nil }
        state = .gathering
        return .wait(Self.interval)
    }

    private mutating func takeBatch() -> [Span] {
        let batch = Array(waiting.prefix(Self.batchSize))
        waiting.removeFirst(batch.count)
        return batch
    }

    private mutating func send(_ batch: [Span]) -> Action {
        state = .sending(batch)
        return .send(batch)
    }
}
