internal import Envelopes
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func envelopes(
        _ filter: EnvelopeFilter, after place: EnvelopePlace?, limit: Int
    ) async throws(StoreError) -> [EnvelopeRecord] {
        let (sql, parameters) = Self.listSQL(filter, after: place, limit: limit)
        return try await query(sql, parameters) { try EnvelopeRecord($0, withBodies: false) }
    }

    /// One text a combination, so that each has its own plan.
    static func listSQL(
        _ filter: EnvelopeFilter, after place: EnvelopePlace?, limit: Int
    ) -> (sql: String, parameters: [Parameter]) {
        var conditions = Conditions<Parameter>()
        conditions.add(filter, after: place)
        let limit = conditions.place(.integer(limit))
        return (
            """
            SELECT \(EnvelopeRecord.columns) FROM envelopes
            \(conditions.clause) ORDER BY \(filter.order) LIMIT \(limit)
            """, conditions.values
        )
    }

    func results(of ids: [String]) async throws(StoreError) -> [EnvelopeRecord] {
        try await query(
            "SELECT \(EnvelopeRecord.columns), NULL, result FROM envelopes WHERE id = ANY($1)", [.texts(ids)]
        ) { try EnvelopeRecord($0, withBodies: true) }
    }

    func recentIDs(beginning prefix: String, limit: Int) async throws(StoreError) -> [String] {
        try await query(
            """
            SELECT id FROM (SELECT id FROM envelopes ORDER BY created_at DESC, id DESC LIMIT 1000) AS recent
            WHERE starts_with(id, $1) LIMIT $2
            """, [.text(prefix.withoutNUL), .integer(limit)]
        ) { try $0.string(0) }
    }

    func lastChanges(of ids: Set<String>) async throws(StoreError) -> [String: Int64] {
        guard !ids.isEmpty else { return [:] }
        let changes = try await query(
            "SELECT id, updated_at FROM envelopes WHERE id = ANY($1)", [.texts(Array(ids))]
        ) { row in (try row.string(0), try row.microseconds(1)) }
        return Dictionary(uniqueKeysWithValues: changes)
    }
}
