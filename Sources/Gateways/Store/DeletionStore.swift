protocol DeletionStore: Sendable {
    /// Deletes an envelope and everything that has come out of it, with their histories; all or nothing.
    func delete(_ id: String) async throws(StoreError) -> Deletion

    /// Deletes envelopes that have ended longer than `age` ago, the oldest first.
    /// - Parameter place: only those behind it.
    /// - Returns: how many, and where to go on; `nil` there is at the end.
    func deleteEnded(
        olderThan age: Duration, after place: EnvelopePlace?, limit: Int
    ) async throws(StoreError) -> (count: Int, next: EnvelopePlace?)

    /// Requests that nobody asks for again.
    func deleteIdempotencyKeys(olderThan age: Duration) async throws(StoreError)
}

enum Deletion: Sendable, Hashable {
    case deleted
    case unknown
    /// It, or one that has come out of it, has not ended.
    case notEnded(String)
}
