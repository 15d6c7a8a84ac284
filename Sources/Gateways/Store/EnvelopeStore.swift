/// The envelopes' state: what has been accepted, reported, decided and not yet sent. Each call does all that it says, or nothing.
///
/// PostgreSQL serves any number of gateways at once, a file of SQLite's one. The same tests hold both to the same behaviour.
protocol EnvelopeStore:
    SubmissionStore, ReportStore, EnvelopeReading, UpdateReading, OutboxStore, CancellationStore, RetryStore,
    DeletionStore, ActorStore, FaultStore
{
    /// Returns when the store answers.
    /// - Throws: `.unavailable` when it doesn't within two seconds.
    func ping() async throws(StoreError)

    /// Connections, and calls that wait for one, by what they do; empty where there are none.
    func connections() async -> [String: Int]
}

extension String {
    /// PostgreSQL's text knows no NUL; JSON strings (`\u0000`) do. What is shown is the same wherever it was stored.
    var withoutNUL: String { utf8.contains(0) ? String(map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self }
}
