internal import Transports

/// Gathers deliveries while a batch is being written. Bounded by the transport's prefetch.
actor DeliveryQueue {
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
