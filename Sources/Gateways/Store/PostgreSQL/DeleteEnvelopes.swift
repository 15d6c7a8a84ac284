internal import EventLoops
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func delete(_ id: String) async throws(StoreError) -> Deletion {
        try await one(
            """
            WITH RECURSIVE \(FamilySQL.family(ofID: "$1")), locked AS MATERIALIZED ( -- as they are now: one may just have been sent again
                SELECT id, status FROM envelopes WHERE id IN (SELECT id FROM family) ORDER BY id FOR UPDATE
            ), alive AS (
                SELECT id FROM locked WHERE status NOT IN \(EnvelopeStatus.finalList) LIMIT 1
            ), deleted AS (
                DELETE FROM envelopes WHERE id IN (SELECT id FROM locked) AND NOT EXISTS (SELECT FROM alive) RETURNING id
            )
            SELECT (SELECT id FROM alive), (SELECT count(*) FROM deleted)
            """, [.text(id)]
        ) { row in
            if let alive = try row.optionalString(0) { return .notEnded(alive) }
            return try row.integer(1) > 0 ? .deleted : .unknown
        }
    }

    func deleteEnded(
        olderThan age: Duration, after place: EnvelopePlace?, limit: Int
    ) async throws(StoreError) -> (count: Int, next: EnvelopePlace?) {
        try await one(
            """
            WITH old AS MATERIALIZED (
                SELECT id, created_at FROM envelopes
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
                .milliseconds(age), .time(microseconds: place?.createdAt ?? 0), .text(place?.id ?? ""), .integer(limit),
            ]
        ) { row in
            guard try row.boolean(1), let createdAt = try row.optionalMicroseconds(2) else {
                return (try row.integer(0), nil)
            }
            return (try row.integer(0), EnvelopePlace(createdAt: createdAt, id: try row.string(3)))
        }
    }

    func deleteIdempotencyKeys(olderThan age: Duration) async throws(StoreError) {
        try await execute(
            "DELETE FROM idempotency_keys WHERE created_at < now() - $1 * interval '1 millisecond'",
            [.milliseconds(age)])
    }
}
