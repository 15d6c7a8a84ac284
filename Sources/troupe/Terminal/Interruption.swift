import Glibc
import Synchronization
import UnixSignals

/// Ctrl-C in the middle of something that goes on without us.
enum Interruption {
    /// Runs `body`; Ctrl-C or SIGTERM cancels it.
    /// - Parameter farewell: what to say then: how to go on.
    /// - Throws: `CommandFailure` when it was interrupted, else what `body` throws.
    static func guarding(
        _ body: @escaping @Sendable () async throws -> Void, farewell: @Sendable () async -> String
    ) async throws {
        let received = Mutex<CommandExit?>(nil)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let work = Task { try await body() }
        let listener = Task {
            for await signal in signals {
                let exit = signal == .sigterm ? CommandExit.terminated : .interrupted
                let isSecond = received.withLock { received in
                    defer { received = exit }
                    return received != nil
                }
                // Who asks twice doesn't want to wait.
                if isSecond { Glibc.exit(exit.rawValue) }
                work.cancel()
            }
        }
        defer { listener.cancel() }
        let result = await work.result
        guard let exit = received.withLock({ $0 }) else { return try result.get() }
        throw CommandFailure(await farewell(), exit)
    }
}
