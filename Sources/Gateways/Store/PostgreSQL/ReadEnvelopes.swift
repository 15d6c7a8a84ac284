internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func envelope(_ id: String) async throws(StoreError) -> EnvelopeRecord? {
        try await query(
            "SELECT \(EnvelopeRecord.columns), payload, result FROM envelopes WHERE id = $1", [.text(id)]
        ) { try EnvelopeRecord($0, withBodies: true) }.first
    }

    func childCounts(of parentID: String, limit: Int) async throws(StoreError) -> [(status: String, count: Int)] {
        try await query(
            """
            SELECT status, count(*) FROM (SELECT status FROM envelopes WHERE parent_id = $1 LIMIT $2) AS children
            GROUP BY status ORDER BY status
            """, [.text(parentID), .integer(limit)]
        ) { row in (try row.string(0), try row.integer(1)) }
    }

    func stepUpdates(of id: String, limit: Int) async throws(StoreError) -> [EnvelopeSteps.Update] {
        try await query(
            """
            SELECT * FROM (
                SELECT \(EnvelopeSteps.Update.columns), id FROM envelope_updates
                WHERE envelope_id = $1 AND \(EnvelopeSteps.Update.condition) ORDER BY id DESC LIMIT $2
            ) AS last ORDER BY id
            """, [.text(id), .integer(limit)]
        ) { try EnvelopeSteps.Update($0) }
    }

    func isActive(_ id: String) async throws(StoreError) -> Bool {
        try await query(
            """
            SELECT status NOT IN \(EnvelopeStatus.finalList) AND (deadline IS NULL OR deadline > now())
            FROM envelopes WHERE id = $1
            """, [.text(id)]
        ) { try $0.boolean(0) }.first ?? false
    }

    func exists(_ id: String) async throws(StoreError) -> Bool {
        try await !query("SELECT FROM envelopes WHERE id = $1", [.text(id)]) { _ in }.isEmpty
    }

    func family(of id: String, limit: Int) async throws(StoreError) -> (ids: [String], hasEnded: Bool) {
        let members = try await query(
            """
            WITH RECURSIVE \(FamilySQL.family(ofID: "$1"))
            SELECT id, status IN \(EnvelopeStatus.finalList) FROM family LIMIT $2
            """, [.text(id), .integer(limit)]
        ) { row in (id: try row.string(0), hasEnded: try row.boolean(1)) }
        return (members.map(\.id), members.allSatisfy(\.hasEnded))
    }
}
