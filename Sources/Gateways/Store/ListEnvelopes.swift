internal import Envelopes
internal import PostgreSQL

/// A place in the list of envelopes, the newest first.
struct EnvelopePlace: Sendable, Hashable {
    /// Microseconds since 1970.
    var createdAt: Int64
    var id: String
}

extension EnvelopeStore {
    /// Envelopes without payload and result, the newest first: stable while new ones come in.
    /// - Parameter place: those after it.
    func envelopes(
        after place: EnvelopePlace? = nil, status: EnvelopeStatus? = nil, parentID: String? = nil, limit: Int
    ) async throws(PostgreSQLError) -> [EnvelopeRecord] {
        // One text a combination, so that each has its own plan.
        var conditions: [String] = []
        var parameters: [Parameter] = [.integer(limit)]
        func next(_ parameter: Parameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        if let status { conditions.append("status = \(next(.text(status.rawValue)))") }
        if let parentID { conditions.append("parent_id = \(next(.text(parentID.withoutNUL)))") }
        if let place {
            let time = next(.text(Timestamp.text(microseconds: place.createdAt)))
            conditions.append("(created_at, id) < (\(time)::timestamptz, \(next(.text(place.id.withoutNUL))))")
        }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return try await query(
            """
            SELECT \(EnvelopeRecord.columns) FROM envelopes \(filter) ORDER BY created_at DESC, id DESC LIMIT $1
            """, parameters
        ).map { (row) throws(PostgreSQLError) in try EnvelopeRecord(row, withBodies: false) }
    }

    /// Those of the list that there are, with results, without payloads.
    func results(of ids: some Collection<String>) async throws(PostgreSQLError) -> [EnvelopeRecord] {
        try await query(
            "SELECT \(EnvelopeRecord.columns), NULL, result FROM envelopes WHERE id = ANY($1)", [.texts(Array(ids))]
        ).map { (row) throws(PostgreSQLError) in try EnvelopeRecord(row, withBodies: true) }
    }

    /// Ids that begin so, among those of the last 1000 envelopes.
    func recentIDs(beginning prefix: String, limit: Int) async throws(PostgreSQLError) -> [String] {
        try await query(
            """
            SELECT id FROM (SELECT id FROM envelopes ORDER BY created_at DESC, id DESC LIMIT 1000) AS recent
            WHERE starts_with(id, $1) LIMIT $2
            """, [.text(prefix.withoutNUL), .integer(limit)]
        ).map { (row) throws(PostgreSQLError) in try row.string(0) }
    }

    /// The last update of each envelope that has one.
    func lastUpdates(of ids: some Collection<String>) async throws(PostgreSQLError) -> [String: Int64] {
        guard !ids.isEmpty else { return [:] }
        let rows = try await query(
            "SELECT envelope_id, max(id) FROM envelope_updates WHERE envelope_id = ANY($1) GROUP BY envelope_id",
            [.texts(Array(ids))])
        var lastUpdates: [String: Int64] = [:]
        for row in rows { lastUpdates[try row.string(0)] = Int64(try row.integer(1)) }
        return lastUpdates
    }
}
