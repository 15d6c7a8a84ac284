internal import PostgreSQL

extension EnvelopeStore {
    /// With payload and result; `nil` when there is no such envelope.
    func envelope(_ id: String) async throws(PostgreSQLError) -> EnvelopeRecord? {
        let rows = try await query(
            "SELECT \(EnvelopeRecord.columns), payload, result FROM envelopes WHERE id = $1", [.text(id)])
        return try rows.first.map { (row) throws(PostgreSQLError) in try EnvelopeRecord(row, withBodies: true) }
    }

    /// The children of an envelope in the order of their creation, without payload and result.
    func children(of parentID: String, limit: Int) async throws(PostgreSQLError) -> [EnvelopeRecord] {
        try await query(
            "SELECT \(EnvelopeRecord.columns) FROM envelopes WHERE parent_id = $1 ORDER BY created_at, id LIMIT $2",
            [.text(parentID), .integer(limit)]
        ).map { (row) throws(PostgreSQLError) in try EnvelopeRecord(row, withBodies: false) }
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
