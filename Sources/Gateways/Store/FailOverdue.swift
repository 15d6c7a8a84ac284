internal import EventLoops
internal import PostgreSQL

extension EnvelopeStore {
    /// Fails envelopes whose deadline passed longer than `grace` ago, the oldest first. Those that somebody is just changing are left for
    /// the next time.
    /// - Returns: how many.
    func failOverdue(grace: Duration, limit: Int) async throws(PostgreSQLError) -> Int {
        try await query(
            """
            WITH locked AS MATERIALIZED (
                SELECT id, concat('Envelope failed', ' at actor ''' || current_actor_name || '''', ': deadline_exceeded') AS message
                FROM envelopes
                WHERE deadline < now() - $1 * interval '1 millisecond' AND status NOT IN \(EnvelopeStatus.finalList)
                ORDER BY deadline LIMIT \(limit) -- not a parameter: the planner would take it for a tenth of the table
                FOR NO KEY UPDATE SKIP LOCKED
            ), \(Self.ending(as: .failed, error: "'deadline_exceeded'"))
            SELECT count(*) FROM moved
            """, [.double(Double(grace.nanosecondsClamped / 1_000_000))])[0].integer(0)
    }
}
