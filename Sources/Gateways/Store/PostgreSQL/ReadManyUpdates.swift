internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    /// The transaction takes its number once the sequence is read: a snapshot's `xmax` is no later one, since it is only behind the last
    /// that has ended, and who is under way may be there already.
    func lastUpdate() async throws(StoreError) -> SettledReading.Look {
        try await one(
            """
            SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END, pg_current_xact_id()::text::bigint
            FROM envelope_updates_id_seq
            """
        ) { row in
            SettledReading.Look(number: Int64(try row.integer(0)), laterWriter: Int64(try row.integer(1)))
        }
    }

    func updates(
        _ filter: UpdateFilter, after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (updates: [EnvelopeUpdate], page: SettledReading.Page) {
        var conditions = Conditions<Parameter>()
        conditions.add(filter, after: last, upTo: end)
        // Of the same snapshot as the updates: a child is there with its first one.
        let family = filter.familyOf.map { "WITH RECURSIVE \(FamilySQL.family(ofID: conditions.place(.text($0))))" }
        if family != nil { conditions.add("u.envelope_id IN (SELECT id FROM family)") }
        let limitPlace = conditions.place(.integer(limit))
        let column = EnvelopeUpdate.columnCount + 1
        let rows = try await query(
            """
            \(family ?? "")
            SELECT u.envelope_id, \(EnvelopeUpdate.columns(finalResult: "u.final_result", parentID: "u.parent_id")),
                   pg_snapshot_xmin(s)::text::bigint
            FROM pg_current_snapshot() AS s LEFT JOIN LATERAL (
                SELECT u.*, e.result AS final_result, e.parent_id FROM envelope_updates u JOIN envelopes e ON e.id = u.envelope_id
                \(conditions.clause) ORDER BY u.id LIMIT \(limitPlace)
            ) u ON true
            ORDER BY u.id
            """, conditions.values
        ) { row in
            (
                update: try row.isNull(1) ? nil : EnvelopeUpdate(row, envelopeID: try row.string(0)),
                oldestWriter: Int64(try row.integer(column))
            )
        }
        let updates = rows.compactMap(\.update)
        return (
            updates,
            SettledReading.Page(
                lastID: updates.last?.id, isFull: updates.count == limit, oldestWriter: rows.first?.oldestWriter)
        )
    }

    func moved(
        after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (ids: [String], page: SettledReading.Page) {
        let rows = try await query(
            """
            SELECT u.envelope_id, pg_snapshot_xmin(s)::text::bigint
            FROM pg_current_snapshot() AS s LEFT JOIN LATERAL (
                SELECT DISTINCT envelope_id FROM envelope_updates WHERE id > $1 AND id <= $2 LIMIT $3
            ) u ON true
            """, [.integer(Int(last)), .integer(Int(end)), .integer(limit)]
        ) { row in (id: try row.optionalString(0), oldestWriter: Int64(try row.integer(1))) }
        let ids = rows.compactMap(\.id)
        return (
            ids, SettledReading.Page(isFull: ids.count == limit, oldestWriter: rows.first?.oldestWriter)
        )
    }
}
