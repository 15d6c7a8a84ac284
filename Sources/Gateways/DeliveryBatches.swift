internal import Transports

extension DeliveryStream {
    /// Hands over in one batch what has come while the one before was handled, `limit` at most. Returns when the stream has ended.
    /// - Parameter waiting: before and after each batch, how many more, or fewer, have come and are not handled.
    func forEachBatch(
        limit: Int, waiting: (Int) -> Void = { _ in }, _ handle: ([Delivery]) async -> Void
    ) async {
        var known = 0
        func tell(_ now: Int) {
            waiting(now - known)
            known = now
        }
        while let batch = await nextBatch(limit: limit) {
            tell(batch.count + count)
            await handle(batch)
            tell(count)
        }
        tell(0)
    }
}
