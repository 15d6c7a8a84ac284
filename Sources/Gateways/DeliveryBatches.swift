internal import Transports

extension AsyncStream<Delivery> {
    /// Hands over in one batch what has come while the one before was handled, `limit` at most. Returns when the stream has ended.
    /// - Parameter waiting: how many more, or fewer, have come and are not handled.
    func forEachBatch(
        limit: Int, waiting: @escaping @Sendable (Int) -> Void = { _ in }, _ handle: ([Delivery]) async -> Void
    ) async {
        let queue = DeliveryQueue()
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await delivery in self {
                    waiting(1)
                    await queue.append(delivery)
                }
                await queue.finish()
            }
            while let batch = await queue.next(limit: limit) {
                await handle(batch)
                waiting(-batch.count)
            }
        }
    }
}

/// Gathers deliveries. Bounded by the transport's prefetch.
private actor DeliveryQueue {
    private var waiting: [Delivery] = []
    private var isFinished = false
    private var reader: CheckedContinuation<Void, Never>?

    func append(_ delivery: Delivery) {
        waiting.append(delivery)
        wakeReader()
    }

    func finish() {
        isFinished = true
        wakeReader()
    }

    /// What has come, at least one and at most `limit`; `nil` at the end. One reader.
    func next(limit: Int) async -> [Delivery]? {
        while waiting.isEmpty {
            if isFinished { return nil }
            await withCheckedContinuation { continuation in
                // Checked where it waits: nothing can come between.
                guard waiting.isEmpty && !isFinished else { return continuation.resume() }
                reader = continuation
            }
        }
        let batch = Array(waiting.prefix(limit))
        waiting.removeFirst(batch.count)
        return batch
    }

    private func wakeReader() {
        reader?.resume()
        reader = nil
    }
}
