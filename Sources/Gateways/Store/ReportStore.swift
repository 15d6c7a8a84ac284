internal import Envelopes

protocol ReportStore: Sendable {
    /// Carries out `EnvelopeStateMachine`'s rule for many reports, in their order.
    ///
    /// A report of an unknown envelope that names a parent comes from a child whose `created` report is still on its way: it
    /// registers the child.
    /// - Returns: an outcome for each change, in the same order.
    func apply(_ changes: [EnvelopeChange]) async throws(StoreError) -> [ChangeOutcome]

    /// Writes what handlers tell into the histories.
    /// - Parameter limit: of such rows an envelope may have. One more says that the rest is left out.
    /// - Returns: an outcome for each report, in the same order.
    func append(_ reports: [PartialResults], limit: Int) async throws(StoreError) -> [PartialOutcome]

    /// Makes children known; those that are known already stay as they are. A child has its parent's deadline, and is cancelled like
    /// its parent.
    /// - Returns: how many of them were born cancelled.
    func register(_ children: [FanOutChild]) async throws(StoreError) -> Int

    /// Envelopes whose deadline passed longer than `grace` ago, in the order of their deadlines.
    /// - Parameter last: only those behind it.
    func overdue(
        grace: Duration, after last: OverdueEnvelope?, limit: Int
    ) async throws(StoreError) -> [OverdueEnvelope]
}

extension ReportStore {
    /// From the first on.
    func overdue(grace: Duration, limit: Int) async throws(StoreError) -> [OverdueEnvelope] {
        try await overdue(grace: grace, after: nil, limit: limit)
    }
}

/// What became of a report.
enum ChangeOutcome: Sendable, Hashable {
    /// Written; the envelope's percent afterwards.
    case applied(percent: Double)
    /// The envelope has ended, or the report has been counted before; the envelope's percent as it is.
    case ignored(percent: Double, isCancelled: Bool = false)
    /// There is no such envelope.
    case unknown
}

/// What became of a report of partial results.
enum PartialOutcome: Sendable, Hashable {
    /// Written, or left out with a row that says so.
    case applied
    /// The envelope has ended, has its fill, or the report has been counted before.
    case ignored
    /// There is no such envelope.
    case unknown
}
