internal import DequeModule
internal import Synchronization

/// The deliveries from one source, in order; each goes to one reader. Bounded by the transport's prefetch.
///
/// Where `AsyncStream` leaves the reader's executor for each element, this one suspends only when nothing is there.
public final class DeliveryStream: AsyncSequence, Sendable {
    private struct State {
        var waiting: Deque<Delivery> = []
        var isFinished = false
        /// One, as a rule.
        var readers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// One that has ended.
    public static var ended: DeliveryStream {
        let stream = DeliveryStream()
        stream.finish()
        return stream
    }

    // MARK: Writing

    public func yield(_ delivery: Delivery) {
        wakeReaders { $0.waiting.append(delivery) }
    }

    /// Nothing comes after what is here.
    public func finish() {
        wakeReaders { $0.isFinished = true }
    }

    private func wakeReaders(after change: (inout State) -> Void) {
        let readers = state.withLock { state in
            change(&state)
            defer { state.readers = [] }
            return state.readers
        }
        for reader in readers { reader.resume() }
    }

    // MARK: Reading

    /// How many wait to be read.
    public var count: Int { state.withLock { $0.waiting.count } }

    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let stream: DeliveryStream

        /// `nil` at the end, and once the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async -> Delivery? {
            await stream.next { $0.popFirst() }
        }

        public mutating func next() async -> Delivery? { await next(isolation: nil) }
    }

    /// What has gathered, at least one and at most `limit`; `nil` at the end, and once the task is cancelled.
    public func nextBatch(limit: Int) async -> [Delivery]? {
        await next { waiting in
            let batch = Array(waiting.prefix(limit))
            waiting.removeFirst(batch.count)
            return batch.isEmpty ? nil : batch
        }
    }

    private func next<Taken>(_ take: (inout Deque<Delivery>) -> Taken?) async -> Taken? {
        while !Task.isCancelled {
            let (taken, isFinished) = state.withLock { (take(&$0.waiting), $0.isFinished) }
            if let taken { return taken }
            if isFinished { return nil }
            await withTaskCancellationHandler {
                await withCheckedContinuation { reader in
                    let isReady = state.withLock { state in
                        if !state.waiting.isEmpty || state.isFinished || Task.isCancelled { return true }
                        state.readers.append(reader)
                        return false
                    }
                    if isReady { reader.resume() }
                }
            } onCancel: {
                wakeReaders { _ in }
            }
        }
        return nil
    }
}
