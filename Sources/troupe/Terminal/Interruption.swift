import EventLoops
import Glibc
import Synchronization

/// Ctrl-C in the middle of something that goes on without us.
enum Interruption {
    private static let signals = [SIGINT, SIGTERM]

    /// Runs `body`; Ctrl-C or SIGTERM cancels it. Call it before anything else starts a thread.
    /// - Parameter farewell: what to say then: how to go on.
    /// - Throws: `CommandFailure` when it was interrupted, else what `body` throws.
    static func guarding(
        _ body: @escaping @Sendable () async throws -> Void, farewell: @Sendable () async -> String
    ) async throws {
        Signals.block(signals)
        let received = Mutex<Int32?>(nil)
        let work = Task { try await body() }
        let arrivals = Signals.arrivals(of: signals, on: EventLoop(name: "signals"))
        let listener = Task {
            for await signal in arrivals {
                let isSecond = received.withLock { received in
                    defer { received = signal }
                    return received != nil
                }
                // Who asks twice doesn't want to wait.
                if isSecond { Glibc.exit(Self.exit(signal).rawValue) }
                work.cancel()
            }
        }
        defer { listener.cancel() }
        let result = await work.result
        guard let signal = received.withLock({ $0 }) else { return try result.get() }
        throw CommandFailure(await farewell(), Self.exit(signal))
    }

    private static func exit(_ signal: Int32) -> CommandExit { signal == SIGTERM ? .terminated : .interrupted }
}
