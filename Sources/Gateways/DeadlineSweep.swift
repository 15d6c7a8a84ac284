internal import Envelopes
internal import EventLoops
internal import Logging
internal import Transports

/// Fails envelopes that nobody has ended by their deadline, because nobody takes them from their queue. Every gateway looks; they don't
/// get in each other's way.
///
/// It writes nothing itself: it reports the end like an actor, so that an end that already waits in the broker comes first.
struct DeadlineSweep: Sendable {
    let store: any ReportStore
    let transport: any Transport
    /// What actors get to say it themselves.
    let grace: Duration
    let logger: Logger

    private static let interval = Duration.seconds(1)
    private static let batchLimit = 256
    /// How long a report gets until it is written. Then it is sent again; it counts once.
    private static let patience = Duration.seconds(60)

    /// Runs until the task is cancelled.
    func run() async {
        var last: OverdueEnvelope?
        var begin = MonotonicTime.now
        while !Task.isCancelled {
            if begin.duration(to: .now) >= Self.patience { (last, begin) = (nil, .now) }
            do {
                try await report(after: &last)
            } catch {
                if !Task.isCancelled { logger.debug("deadlines not seen to", metadata: ["error": "\(error)"]) }
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// - Parameter last: up to it the broker has all reports.
    private func report(after last: inout OverdueEnvelope?) async throws {
        var overdue: [OverdueEnvelope]
        repeat {
            overdue = try await store.overdue(grace: grace, after: last, limit: Self.batchLimit)
            try await withThrowingDiscardingTaskGroup { group in
                for envelope in overdue {
                    group.addTask { try await transport.publish(Message(envelope.report), timeout: .seconds(10)) }
                }
            }
            last = overdue.last ?? last
        } while overdue.count == Self.batchLimit && !Task.isCancelled
    }
}
