internal import Envelopes
internal import EventLoops
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func overdue(
        grace: Duration, after last: OverdueEnvelope?, limit: Int
    ) async throws(StoreError) -> [OverdueEnvelope] {
        try await query(
            """
            SELECT \(OverdueEnvelope.columns) FROM envelopes
            WHERE deadline < now() - $1 * interval '1 millisecond' AND status NOT IN \(EnvelopeStatus.finalList)
              AND deadline >= $2 AND (deadline, id) > ($2, $3)
            ORDER BY deadline, id LIMIT \(limit) -- not a parameter: the planner would take it for a tenth of the table
            """,
            [
                .milliseconds(grace), .time(microseconds: last?.deadline ?? 0), .text(last?.id ?? ""),
            ]
        ) { try OverdueEnvelope($0) }
    }
}
