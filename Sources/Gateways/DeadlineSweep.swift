internal import EventLoops
internal import Logging
internal import PostgreSQL
internal import Telemetry

/// Fails envelopes that nobody has ended by their deadline, because nobody takes them from their queue. Every gateway looks; they don't
/// get in each other's way.
struct DeadlineSweep: Sendable {
    let store: EnvelopeStore
    /// What actors get to say it themselves.
    let grace: Duration
    let metrics: GatewayMetrics
    let logger: Logger

    private static let interval = Duration.seconds(1)
    private static let batchLimit = 256

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do throws(PostgreSQLError) {
                var count: Int
                repeat {
                    count = try await store.failOverdue(grace: grace, limit: Self.batchLimit)
                    metrics.finished(.failed).increment(by: count)
                    metrics.overdue.increment(by: count)
                } while count == Self.batchLimit && !Task.isCancelled
            } catch {
                if error.code != .cancelled { logger.debug("deadlines not seen to", metadata: ["error": "\(error)"]) }
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}
