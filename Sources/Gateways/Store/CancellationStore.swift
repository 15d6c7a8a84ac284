/// What is cancelled, and what sidecars are to be told of it.
protocol CancellationStore: Sendable {
    /// Cancels an envelope and everything that has come out of it by fan-out, as far as that has not ended; nothing of an envelope that
    /// has ended otherwise.
    /// - Returns: how many envelopes this has cancelled.
    func cancel(_ id: String) async throws(StoreError) -> Int

    /// Cancelled envelopes that sidecars have not heard of yet.
    func unannouncedCancellations(limit: Int) async throws(StoreError) -> [String]

    func markAnnounced(_ ids: [String]) async throws(StoreError)

    /// Somebody works on cancelled envelopes: he is to be told once more, unless that was just done.
    func announceAgain(_ ids: Set<String>) async throws(StoreError)

    /// Their messages have ended.
    func forgetCancellations(of ids: Set<String>) async throws(StoreError)

    /// Those requested last, the latest first.
    func latestCancellations(limit: Int) async throws(StoreError) -> [String]

    /// Those of longer ago than any message waits: 60 days.
    func forgetOldCancellations() async throws(StoreError)
}
