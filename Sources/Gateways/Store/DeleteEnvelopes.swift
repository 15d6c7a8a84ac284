internal import EventLoops
internal import PostgreSQL

extension EnvelopeStore {
    enum Deletion: Sendable, Hashable {
        case deleted
        case unknown
        /// It, or one that has come out of it, has not ended.
        case notEnded(String)
    }

    /// Deletes an envelope and everything that has come out of it, with their histories; all or nothing.
    func delete(_ id: String) async throws(PostgreSQLError) -> Deletion {
        let row = try await query(
            """
            WITH RECURSIVE family AS (
                SELECT id, 0 AS depth FROM envelopes WHERE id = $1
                UNION
                SELECT c.id, f.depth + 1 FROM family f JOIN envelopes c ON c.parent_id = f.id WHERE f.depth < 100
            ), locked AS MATERIALIZED ( -- as they are now: one may just have been sent again
                SELECT id, status FROM envelopes WHERE id IN (SELECT id FROM family) ORDER BY id FOR UPDATE
            ), alive AS (
                SELECT id FROM locked WHERE status NOT IN \(EnvelopeStatus.finalList) LIMIT 1
            ), deleted AS (
                DELETE FROM envelopes WHERE id IN (SELECT id FROM locked) AND NOT EXISTS (SELECT FROM alive) RETURNING id
            )
            SELECT (SELECT id FROM alive), (SELECT count(*) FROM deleted)
            """, [.text(id)])[0]
        if let alive = try row.optionalString(0) { return .notEnded(alive) }
        return try row.integer(1) > 0 ? .deleted : .unknown
    }

    /// Deletes envelopes that have ended longer than `age` ago, the oldest first.
    /// - Parameter place: only those behind it.
    /// - Returns: how many, and where to go on; `nil` there is at the end.
    func deleteEnded(
        olderThan age: Duration, after place: EnvelopePlace?, limit: Int
    ) async throws(PostgreSQLError) -> (count: Int, next: EnvelopePlace?) {
        let row = try await query(
            """
            WITH old AS MATERIALIZED (
                SELECT id, created_at, updated_at, status FROM envelopes
                WHERE created_at < now() - $1 * interval '1 millisecond' AND (created_at, id) > ($2, $3)
                ORDER BY created_at, id LIMIT $4
            ), ended AS MATERIALIZED (
                SELECT e.id FROM envelopes e JOIN old ON old.id = e.id
                WHERE e.status IN \(EnvelopeStatus.finalList) AND e.updated_at < now() - $1 * interval '1 millisecond'
                ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
            ), deleted AS (
                DELETE FROM envelopes WHERE id IN (SELECT id FROM ended) RETURNING id
            )
            SELECT (SELECT count(*) FROM deleted), count(*) = $4, max(created_at),
                   (array_agg(id ORDER BY created_at DESC, id DESC))[1]
            FROM old
            """,
            [
                .double(Double(age.nanosecondsClamped / 1_000_000)), .time(microseconds: place?.createdAt ?? 0),
                .text(place?.id ?? ""), .integer(limit),
            ])[0]
        guard try row.boolean(1), let createdAt = try row.optionalMicroseconds(2) else {
            return (try row.integer(0), nil)
        }
        return (try row.integer(0), EnvelopePlace(createdAt: createdAt, id: try row.string(3)))
    }

    /// Requests that nobody asks for again.
    func deleteIdempotencyKeys(olderThan age: Duration) async throws(PostgreSQLError) {
        _ = try await query(
            "DELETE FROM idempotency_keys WHERE created_at < now() - $1 * interval '1 millisecond'",
            [.double(Double(age.nanosecondsClamped / 1_000_000))])
    }
}
