internal import Envelopes
internal import PostgreSQL

/// A place in the list of envelopes, the newest first.
struct EnvelopePlace: Sendable, Hashable {
    /// Microseconds since 1970.
    var createdAt: Int64
    var id: String
}

/// Which envelopes a list has. What is not said does not matter.
struct EnvelopeFilter: Sendable, Hashable {
    var status: EnvelopeStatus?
    /// Where it is, or has ended.
    var actor: String?
    var tool: String?
    var parentID: String?
    /// Created then or later, microseconds since 1970.
    var since: Int64?
    /// Created earlier.
    var before: Int64?
    /// The oldest first.
    var isAscending = false
}

extension EnvelopeStore {
    /// Envelopes without payload and result, the newest first unless the filter says otherwise: stable while new ones come in.
    /// - Parameter place: those behind it.
    func envelopes(
        _ filter: EnvelopeFilter = EnvelopeFilter(), after place: EnvelopePlace? = nil, limit: Int
    ) async throws(PostgreSQLError) -> [EnvelopeRecord] {
        let (sql, parameters) = Self.listSQL(filter, after: place, limit: limit)
        return try await query(sql, parameters).map { (row) throws(PostgreSQLError) in
            try EnvelopeRecord(row, withBodies: false)
        }
    }

    /// One text a combination, so that each has its own plan.
    static func listSQL(
        _ filter: EnvelopeFilter, after place: EnvelopePlace?, limit: Int
    ) -> (sql: String, parameters: [Parameter]) {
        var conditions: [String] = []
        var parameters: [Parameter] = [.integer(limit)]
        func next(_ parameter: Parameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        if let status = filter.status { conditions.append("status = \(next(.text(status.rawValue)))") }
        if let actor = filter.actor { conditions.append("current_actor_name = \(next(.text(actor.withoutNUL)))") }
        if let tool = filter.tool { conditions.append("tool = \(next(.text(tool.withoutNUL)))") }
        if let parentID = filter.parentID { conditions.append("parent_id = \(next(.text(parentID.withoutNUL)))") }
        if let since = filter.since { conditions.append("created_at >= \(next(.time(microseconds: since)))") }
        if let before = filter.before { conditions.append("created_at < \(next(.time(microseconds: before)))") }
        if let place {
            let time = next(.time(microseconds: place.createdAt))
            let comparison = filter.isAscending ? ">" : "<"
            conditions.append("(created_at, id) \(comparison) (\(time), \(next(.text(place.id.withoutNUL))))")
        }
        let order = filter.isAscending ? "created_at, id" : "created_at DESC, id DESC"
        return (
            """
            SELECT \(EnvelopeRecord.columns) FROM envelopes
            \(conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND "))
            ORDER BY \(order) LIMIT $1
            """, parameters
        )
    }

    /// Those of the list that there are, without payload and result, the newest first.
    func envelopes(_ ids: [String]) async throws(PostgreSQLError) -> [EnvelopeRecord] {
        try await query(
            "SELECT \(EnvelopeRecord.columns) FROM envelopes WHERE id = ANY($1) ORDER BY created_at DESC, id DESC",
            [.texts(ids)]
        ).map { (row) throws(PostgreSQLError) in try EnvelopeRecord(row, withBodies: false) }
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
