internal import Transports

extension DeliveryStream {
    /// Hands over in one batch what has come while the one before was handled, `limit` at most. Returns when the stream has ended.
    /// - Parameter waiting: with each batch, how many more, or fewer, have come and are not handled.
    func forEachBatch(
        limit: Int, waiting: (Int) -> Void = { _ in }, _ handle: ([Delivery]) async -> Void
    ) async {
        var known = 0
        while let batch = await nextBatch(limit: limit) {
            let now = batch.count + count
            waiting(now - known)
            known = now
            await handle(batch)
        }
        waiting(-known)
    }
}
