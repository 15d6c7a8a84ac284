internal import EventLoops
internal import Logging
internal import Telemetry

/// Deletes what has ended long ago, a little at a time, so that nobody waits for it.
struct Retention: Sendable {
    let store: any DeletionStore
    /// `nil`: envelopes stay.
    let age: Duration?
    let metrics: GatewayMetrics
    let logger: Logger
    var interval = Duration.seconds(60)

    private static let batch = 500
    private static let pause = Duration.milliseconds(50)
    private static let keyAge = Duration.seconds(86_400)

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do throws(StoreError) {
                try await store.deleteIdempotencyKeys(olderThan: Self.keyAge)
                if let age { try await deleteEnded(olderThan: age) }
            } catch {
                if !Task.isCancelled { logger.debug("nothing deleted", metadata: ["error": "\(error)"]) }
            }
            try? await Task.sleep(for: interval)
        }
    }

    private func deleteEnded(olderThan age: Duration) async throws(StoreError) {
        var place: EnvelopePlace?
        var total = 0
        repeat {
            let (count, next) = try await store.deleteEnded(olderThan: age, after: place, limit: Self.batch)
            metrics.deleted.increment(by: count)
            total += count
            place = next
            try? await Task.sleep(for: Self.pause)
        } while place != nil && !Task.isCancelled
        if total > 0 {
            logger.info("envelopes deleted", metadata: ["count": "\(total)", "older_than": "\(age.inWords)"])
        }
    }
}
