internal import PostgreSQL

/// Whose updates a stream has. What is not said does not matter.
struct UpdateFilter: Sendable, Hashable {
    /// An envelope and all that has come out of it.
    var familyOf: String?
    /// Of the update.
    var status: EnvelopeStatus?
    var actor: String?
    /// Of the envelope.
    var tool: String?
    var parentID: String?
    /// With what handlers tell while they work.
    var hasPartials = false
}

extension EnvelopeStore {
    /// The number that was given to an update last, be it committed or not.
    func lastUpdateNumber() async throws(PostgreSQLError) -> Int64 {
        Int64(
            try await query(
                "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM envelope_updates_id_seq", [])[
                    0
                ].integer(0))
    }

    /// Updates of many envelopes, in the order of their numbers, as they are committed so far.
    func updates(
        _ filter: UpdateFilter, after last: Int64, upTo end: Int64, limit: Int
    ) async throws(PostgreSQLError) -> (updates: [EnvelopeUpdate], page: SettledReading.Page) {
        var conditions = ["u.id > $1", "u.id <= $2"]
        var parameters: [Parameter] = [.integer(Int(last)), .integer(Int(end)), .integer(limit)]
        func next(_ parameter: Parameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        var family = ""
        if let id = filter.familyOf {
            // Of the same snapshot as the updates: a child is there with its first one.
            family = Self.familySQL(next(.text(id)))
            conditions.append("u.envelope_id IN (SELECT id FROM family)")
        }
        if let status = filter.status { conditions.append("u.status = \(next(.text(status.rawValue)))") }
        if let actor = filter.actor { conditions.append("u.actor = \(next(.text(actor.withoutNUL)))") }
        if let tool = filter.tool { conditions.append("e.tool = \(next(.text(tool.withoutNUL)))") }
        if let parentID = filter.parentID { conditions.append("e.parent_id = \(next(.text(parentID.withoutNUL)))") }
        if !filter.hasPartials { conditions.append("u.partial_type IS NULL") }
        let rows = try await query(
            """
            \(family)
            SELECT u.envelope_id, \(EnvelopeUpdate.columns),
                   pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint
            FROM pg_current_snapshot() AS s LEFT JOIN LATERAL (
                SELECT u.*, e.result AS final_result FROM envelope_updates u JOIN envelopes e ON e.id = u.envelope_id
                WHERE \(conditions.joined(separator: " AND ")) ORDER BY u.id LIMIT $3
            ) u ON true
            ORDER BY u.id
            """, parameters)
        var updates: [EnvelopeUpdate] = []
        for row in rows where !row.isNull(1) {
            updates.append(try EnvelopeUpdate(row, envelopeID: try row.string(0)))
        }
        let column = EnvelopeUpdate.columnCount + 1
        return (
            updates,
            SettledReading.Page(
                lastID: updates.last?.id, isFull: updates.count == limit,
                oldestTransaction: Int64(try rows[0].integer(column)),
                nextTransaction: Int64(try rows[0].integer(column + 1)))
        )
    }

    /// An envelope and all that has come out of it, at most `limit`; whether all of them have ended.
    func family(of id: String, limit: Int) async throws(PostgreSQLError) -> (ids: [String], hasEnded: Bool) {
        let rows = try await query(
            """
            \(Self.familySQL("$1"))
            SELECT id, status IN \(EnvelopeStatus.finalList) FROM family LIMIT $2
            """, [.text(id), .integer(limit)])
        var ids: [String] = []
        var hasEnded = true
        for row in rows {
            ids.append(try row.string(0))
            hasEnded = try row.boolean(1) && hasEnded
        }
        return (ids, hasEnded)
    }

    private static func familySQL(_ id: String) -> String {
        """
        WITH RECURSIVE family AS (
            SELECT id, status, 0 AS depth FROM envelopes WHERE id = \(id)
            UNION
            SELECT c.id, c.status, f.depth + 1 FROM family f JOIN envelopes c ON c.parent_id = f.id WHERE f.depth < 100
        )
        """
    }
}
