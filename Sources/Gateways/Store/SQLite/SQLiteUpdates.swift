internal import GRDB

extension SQLiteEnvelopeStore {
    func updates(
        of id: String, after last: Int64, limit: Int, withPartials: Bool
    ) async throws(StoreError) -> UpdatePage? {
        try await read { database in
            let isFinal = try database.row(
                "SELECT status IN \(EnvelopeStatus.finalList) FROM envelopes WHERE id = ?", [.text(id)]
            ) { try $0.boolean(0) }
            guard let isFinal else { return nil }
            let updates = try database.updates(
                """
                WHERE u.envelope_id = ? AND u.id > ? \(withPartials ? "" : "AND u.partial_type IS NULL") ORDER BY u.id LIMIT ?
                """, [.text(id), .integer(Int(last)), .integer(limit)])
            return UpdatePage(updates: updates, isFull: updates.count == limit, isFinal: isFinal)
        }
    }

    func lastUpdate() async throws(StoreError) -> SettledReading.Look {
        try await read { database in
            let number = try database.row("SELECT seq FROM sqlite_sequence WHERE name = 'envelope_updates'") {
                Int64(try $0.integer(0))
            }
            return SettledReading.Look(number: number ?? 0)
        }
    }

    /// Writers take turns: whatever can be read has all before it beside it.
    func updates(
        _ filter: UpdateFilter, after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (updates: [EnvelopeUpdate], page: SettledReading.Page) {
        try await read { database in
            var conditions = Conditions<DatabaseValue>()
            conditions.add(filter, after: last, upTo: end)
            if let id = filter.familyOf {
                let family = FamilySQL.family(ofID: conditions.place(.text(id)))
                conditions.add("u.envelope_id IN (WITH RECURSIVE \(family) SELECT id FROM family)")
            }
            let limitPlace = conditions.place(.integer(limit))
            let updates = try database.updates(
                "\(conditions.clause) ORDER BY u.id LIMIT \(limitPlace)", conditions.values)
            return (updates, SettledReading.Page(lastID: updates.last?.id, isFull: updates.count == limit))
        }
    }

    func moved(
        after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (ids: [String], page: SettledReading.Page) {
        try await read { database in
            let ids = try database.rows(
                "SELECT DISTINCT envelope_id FROM envelope_updates WHERE id > ? AND id <= ? LIMIT ?",
                [.integer(Int(last)), .integer(Int(end)), .integer(limit)]
            ) { try $0.string(0) }
            return (ids, SettledReading.Page(isFull: ids.count == limit))
        }
    }
}

extension Database {
    /// - Parameter selection: which updates `u` of envelopes `e`, and in which order.
    fileprivate func updates(_ selection: String, _ values: [DatabaseValue]) throws -> [EnvelopeUpdate] {
        try rows(
            """
            SELECT u.envelope_id, \(EnvelopeUpdate.columns(finalResult: "e.result", parentID: "e.parent_id"))
            FROM envelope_updates u JOIN envelopes e ON e.id = u.envelope_id
            \(selection)
            """, values
        ) { try EnvelopeUpdate($0, envelopeID: $0.string(0)) }
    }
}
