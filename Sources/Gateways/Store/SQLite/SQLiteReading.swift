internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func envelope(_ id: String) async throws(StoreError) -> EnvelopeRecord? {
        try await read { database in
            try database.row(
                """
                SELECT \(EnvelopeRecord.columns), (SELECT payload FROM payloads WHERE envelope_id = id), result
                FROM envelopes WHERE id = ?
                """, [.text(id)]
            ) { try EnvelopeRecord($0, withBodies: true) }
        }
    }

    func envelopes(
        _ filter: EnvelopeFilter, after place: EnvelopePlace?, limit: Int
    ) async throws(StoreError) -> [EnvelopeRecord] {
        try await read { database in
            var conditions = Conditions<DatabaseValue>()
            conditions.add(filter, after: place)
            let limit = conditions.place(.integer(limit))
            return try database.rows(
                """
                SELECT \(EnvelopeRecord.columns) FROM envelopes
                \(conditions.clause) ORDER BY \(filter.order) LIMIT \(limit)
                """, conditions.values
            ) { try EnvelopeRecord($0, withBodies: false) }
        }
    }

    func results(of ids: [String]) async throws(StoreError) -> [EnvelopeRecord] {
        try await read { database in
            try database.rows(
                """
                SELECT \(EnvelopeRecord.columns), NULL, result FROM envelopes WHERE id IN (SELECT value FROM json_each(?))
                """, [.texts(ids)]
            ) { try EnvelopeRecord($0, withBodies: true) }
        }
    }

    func recentIDs(beginning prefix: String, limit: Int) async throws(StoreError) -> [String] {
        try await read { database in
            try database.rows(
                """
                SELECT id FROM (SELECT id FROM envelopes ORDER BY created_at DESC, id DESC LIMIT 1000)
                WHERE substr(id, 1, length(?1)) = ?1 LIMIT ?2
                """, [.text(prefix), .integer(limit)]
            ) { try $0.string(0) }
        }
    }

    func lastChanges(of ids: Set<String>) async throws(StoreError) -> [String: Int64] {
        guard !ids.isEmpty else { return [:] }
        return try await read { database in
            let changes = try database.rows(
                "SELECT id, updated_at FROM envelopes WHERE id IN (SELECT value FROM json_each(?))", [.texts(ids)]
            ) { row in (try row.string(0), try row.microseconds(1)) }
            return Dictionary(uniqueKeysWithValues: changes)
        }
    }

    func childCounts(of parentID: String, limit: Int) async throws(StoreError) -> [(status: String, count: Int)] {
        try await read { database in
            try database.rows(
                """
                SELECT status, count(*) FROM (SELECT status FROM envelopes WHERE parent_id = ? LIMIT ?)
                GROUP BY status ORDER BY status
                """, [.text(parentID), .integer(limit)]
            ) { row in (try row.string(0), try row.integer(1)) }
        }
    }

    func stepUpdates(of id: String, limit: Int) async throws(StoreError) -> [EnvelopeSteps.Update] {
        try await read { database in
            try database.rows(
                """
                SELECT \(EnvelopeSteps.Update.columns) FROM envelope_updates
                WHERE envelope_id = ? AND \(EnvelopeSteps.Update.condition) ORDER BY id DESC LIMIT ?
                """, [.text(id), .integer(limit)]
            ) { try EnvelopeSteps.Update($0) }.reversed()
        }
    }

    func isActive(_ id: String) async throws(StoreError) -> Bool {
        let now = Timestamp.microsecondsNow()
        return try await read { database in
            try database.row(
                """
                SELECT status NOT IN \(EnvelopeStatus.finalList) AND (deadline IS NULL OR deadline > ?)
                FROM envelopes WHERE id = ?
                """, [.time(microseconds: now), .text(id)]
            ) { try $0.boolean(0) } ?? false
        }
    }

    func exists(_ id: String) async throws(StoreError) -> Bool {
        try await read { database in
            try database.row("SELECT 1 FROM envelopes WHERE id = ?", [.text(id)]) { _ in true } ?? false
        }
    }

    func overdue(
        grace: Duration, after last: OverdueEnvelope?, limit: Int
    ) async throws(StoreError) -> [OverdueEnvelope] {
        let end = Timestamp.microsecondsNow().later(by: .zero - grace)
        return try await read { database in
            try database.rows(
                """
                SELECT \(OverdueEnvelope.columns) FROM envelopes
                WHERE deadline < ? AND status NOT IN \(EnvelopeStatus.finalList) AND (deadline, id) > (?, ?)
                ORDER BY deadline, id LIMIT ?
                """,
                [
                    .time(microseconds: end), .time(microseconds: last?.deadline ?? 0), .text(last?.id ?? ""),
                    .integer(limit),
                ]
            ) { try OverdueEnvelope($0) }
        }
    }

    func family(of id: String, limit: Int) async throws(StoreError) -> (ids: [String], hasEnded: Bool) {
        let members = try await read { database in try database.family(of: id, limit: limit) }
        return (members.map(\.id), members.allSatisfy(\.hasEnded))
    }
}

extension Database {
    /// An envelope and all that has come out of it.
    func family(of id: String, limit: Int = .max) throws -> [(id: String, hasEnded: Bool)] {
        try rows(
            """
            WITH RECURSIVE \(FamilySQL.family(ofID: "?1"))
            SELECT id, status IN \(EnvelopeStatus.finalList) FROM family LIMIT ?2
            """, [.text(id), .integer(limit)]
        ) { row in (id: try row.string(0), hasEnded: try row.boolean(1)) }
    }
}
