internal import PostgreSQL

extension EnvelopeStore {
    /// With payload and result; `nil` when there is no such envelope.
    func envelope(_ id: String) async throws(PostgreSQLError) -> EnvelopeRecord? {
        let rows = try await query(
            "SELECT \(EnvelopeRecord.columns), payload, result FROM envelopes WHERE id = $1", [.text(id)])
        return try rows.first.map { (row) throws(PostgreSQLError) in try EnvelopeRecord(row, withBodies: true) }
    }

    /// How many of an envelope's children have which status; of more than `limit` children, some of them.
    func childCounts(of parentID: String, limit: Int) async throws(PostgreSQLError) -> [(status: String, count: Int)] {
        try await query(
            """
            SELECT status, count(*) FROM (SELECT status FROM envelopes WHERE parent_id = $1 LIMIT $2) AS children
            GROUP BY status ORDER BY status
            """, [.text(parentID), .integer(limit)]
        ).map { (row) throws(PostgreSQLError) in (try row.string(0), try row.integer(1)) }
    }

    /// The last reports of an envelope's actors, in order: what its steps are made from.
    func stepUpdates(of id: String, limit: Int) async throws(PostgreSQLError) -> [EnvelopeSteps.Update] {
        try await query(
            """
            SELECT * FROM (
                SELECT id, envelope_state, status, actor, current_actor_idx, attempt, error, COALESCE(reported_at, timestamp)
                FROM envelope_updates WHERE envelope_id = $1 ORDER BY id DESC LIMIT $2
            ) AS last ORDER BY id
            """, [.text(id), .integer(limit)]
        ).map { (row) throws(PostgreSQLError) in
            EnvelopeSteps.Update(
                phase: try row.optionalString(1), status: EnvelopeStatus(rawValue: try row.string(2)) ?? .unknown,
                actor: try row.optionalString(3), actorIndex: try row.optionalInteger(4),
                attempt: try row.optionalInteger(5), error: try row.optionalString(6), time: try row.microseconds(7))
        }
    }

    /// Whether it is worth while to work on an envelope: it is there, not final, and before its deadline.
    func isActive(_ id: String) async throws(PostgreSQLError) -> Bool {
        let rows = try await query(
            """
            SELECT status NOT IN \(EnvelopeStatus.finalList) AND (deadline IS NULL OR deadline > now())
            FROM envelopes WHERE id = $1
            """, [.text(id)])
        return try rows.first.map { (row) throws(PostgreSQLError) in try row.boolean(0) } ?? false
    }

    func exists(_ id: String) async throws(PostgreSQLError) -> Bool {
        try await !query("SELECT FROM envelopes WHERE id = $1", [.text(id)]).isEmpty
    }
}
