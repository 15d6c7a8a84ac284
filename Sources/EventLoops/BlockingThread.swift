internal import Glibc

/// A thread of its own for work that must block (a connection's handshake, a name look-up): event loops stay responsive
/// meanwhile.
public enum BlockingThread {
    /// Runs `body` on a new thread and returns what it returns. Cancelling the task does not interrupt `body`: give it
    /// a time limit.
    /// - Throws: what `body` throws.
    public static func run<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await result { Result(catching: body) }.get()
    }

    private static func result<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            let work = Work { continuation.resume(returning: body()) }
            var thread = pthread_t()
            let status = pthread_create(
                &thread, nil,
                { context in
                    guard let context else { return nil }
                    Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
                    return nil
                }, Unmanaged.passRetained(work).toOpaque())
            precondition(status == 0, "no thread for blocking work (error \(status)); raise `ulimit -u`")
            pthread_detach(thread)
        }
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
