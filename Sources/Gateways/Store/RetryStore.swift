internal import Envelopes

protocol RetryStore: Sendable {
    /// - Returns: `nil` when there is no such envelope.
    func retryable(_ id: String) async throws(StoreError) -> Retry.Known?

    /// Opens an envelope again and puts its message into the outbox, both or neither.
    /// - Parameter envelope: with a number of replays above the one that is stored.
    /// - Returns: the outbox row's id; `nil` when the envelope isn't any more what it was when it was read.
    func reopen(with envelope: Envelope, message: String, grace: Duration) async throws(StoreError) -> Int64?
}
