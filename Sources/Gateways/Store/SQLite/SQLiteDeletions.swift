internal import GRDB

extension SQLiteEnvelopeStore {
    func delete(_ id: String) async throws(StoreError) -> Deletion {
        try await write { writer in
            let family = try writer.database.family(of: id)
            if let alive = family.first(where: { !$0.hasEnded }) { return .notEnded(alive.id) }
            try writer.delete(family.map(\.id))
            return family.isEmpty ? .unknown : .deleted
        }
    }

    func deleteEnded(
        olderThan age: Duration, after place: EnvelopePlace?, limit: Int
    ) async throws(StoreError) -> (count: Int, next: EnvelopePlace?) {
        try await write { writer in
            let end = writer.now.later(by: .zero - age)
            let old = try writer.database.rows(
                """
                SELECT id, created_at, status IN \(EnvelopeStatus.finalList) AND updated_at < ?1 FROM envelopes
                WHERE created_at < ?1 AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4
                """,
                [
                    .time(microseconds: end), .time(microseconds: place?.createdAt ?? 0), .text(place?.id ?? ""),
                    .integer(limit),
                ]
            ) { row in
                (
                    place: EnvelopePlace(createdAt: try row.microseconds(1), id: try row.string(0)),
                    isDue: try row.boolean(2)
                )
            }
            let due = old.filter(\.isDue).map(\.place.id)
            try writer.delete(due)
            return (due.count, old.count == limit ? old.last?.place : nil)
        }
    }

    func deleteIdempotencyKeys(olderThan age: Duration) async throws(StoreError) {
        try await write { writer in
            try writer.database.run(
                "DELETE FROM idempotency_keys WHERE created_at < ?",
                [.time(microseconds: writer.now.later(by: .zero - age))])
        }
    }
}

extension StoreWriter {
    /// All else that there is of them goes with them.
    fileprivate func delete(_ ids: [String]) throws {
        try database.run("DELETE FROM envelopes WHERE id IN (SELECT value FROM json_each(?))", [.texts(ids)])
    }
}
