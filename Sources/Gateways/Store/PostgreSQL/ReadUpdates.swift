internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    /// One statement, so one snapshot.
    func updates(
        of id: String, after last: Int64, limit: Int, withPartials: Bool
    ) async throws(StoreError) -> UpdatePage? {
        let rows = try await query(
            """
            SELECT e.status IN \(EnvelopeStatus.finalList), \(EnvelopeUpdate.columns(finalResult: "e.result", parentID: "e.parent_id"))
            FROM envelopes e LEFT JOIN LATERAL (
                SELECT u.* FROM envelope_updates u WHERE u.envelope_id = e.id AND u.id > $2
                    \(withPartials ? "" : "AND u.partial_type IS NULL") ORDER BY u.id LIMIT $3
            ) u ON true
            WHERE e.id = $1
            ORDER BY u.id
            """, [.text(id), .integer(Int(last)), .integer(limit)]
        ) { row in
            (
                isFinal: try row.boolean(0),
                update: try row.isNull(1) ? nil : EnvelopeUpdate(row, envelopeID: id)
            )
        }
        guard let first = rows.first else { return nil }
        let updates = rows.compactMap(\.update)
        return UpdatePage(updates: updates, isFull: updates.count == limit, isFinal: first.isFinal)
    }
}
