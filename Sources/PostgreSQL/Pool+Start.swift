internal import EventLoops

extension Pool {
    /// Waits for a database that is only just starting: runs `body` again while there is none, for `patience` at most.
    /// - Parameter onWait: is told why, before each pause.
    /// - Throws: what `body` throws, `CancellationError`.
    public nonisolated func untilAvailable<Value>(
        patience: Duration, onWait: (PostgreSQLError) -> Void,
        _ body: (Pool) async throws(PostgreSQLError) -> Value
    ) async throws -> Value {
        let end = MonotonicTime.now.advanced(by: patience)
        var backoff = Backoff()
        while true {
            do throws(PostgreSQLError) { return try await body(self) } catch {
                guard error.isUnavailable, .now < end else { throw error }
                onWait(error)
            }
            try await Task.sleep(for: backoff.next())
        }
    }
}
