internal import EventLoops
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func takeDueMessages(limit: Int, lease: Duration) async throws(StoreError) -> [OutboxMessage] {
        try await query(
            """
            WITH due AS MATERIALIZED (
                SELECT o.id, o.envelope_id, e.status IN ('pending', 'unknown') AS is_wanted, o.due_at = e.not_before AS starts
                FROM outbox o JOIN envelopes e ON e.id = o.envelope_id
                WHERE o.due_at <= now() ORDER BY o.due_at, o.id
                LIMIT \(limit) -- not a parameter: the planner would take it for a tenth of the table
                FOR UPDATE OF o SKIP LOCKED FOR NO KEY UPDATE OF e SKIP LOCKED
            ), arrived AS (
                DELETE FROM outbox o USING due WHERE o.id = due.id AND NOT due.is_wanted
            ), started AS (
                UPDATE envelopes e SET message = $2, updated_at = clock_timestamp()
                FROM due WHERE e.id = due.envelope_id AND due.is_wanted AND due.starts
                RETURNING e.id, e.route_actors, e.current_actor_name
            ), logged AS (
                INSERT INTO envelope_updates (envelope_id, status, message, progress_percent, actor, actors, current_actor_idx)
                SELECT id, 'running', $2, 0, current_actor_name, route_actors, 0 FROM started
            )
            UPDATE outbox o SET due_at = now() + $1 * interval '1 millisecond'
            FROM due JOIN envelopes e ON e.id = due.envelope_id
            WHERE o.id = due.id AND due.is_wanted
            RETURNING o.id, o.envelope_id, o.actor, o.attempts, COALESCE(o.head, (
                SELECT u.sent_head FROM envelope_updates u WHERE u.envelope_id = e.id ORDER BY u.id LIMIT 1
            )) || COALESCE(o.payload, e.payload)::text || '}'
            """,
            [.milliseconds(lease), .text(EnvelopeUpdate.sendingMessage)]
        ) { row in
            OutboxMessage(
                rowID: Int64(try row.integer(0)), envelopeID: try row.string(1), actor: try row.string(2),
                body: try row.bytes(4), attempts: try row.integer(3))
        }
    }

    func deleteMessages(_ rowIDs: [Int64]) async throws(StoreError) {
        try await execute("DELETE FROM outbox WHERE id = ANY($1)", [.integers(rowIDs.map(Int.init))])
    }

    func deleteMessages(of envelopeIDs: [String]) async throws(StoreError) {
        try await execute(
            "DELETE FROM outbox WHERE envelope_id = ANY($1)", [.texts(envelopeIDs.map(\.withoutNUL))])
    }

    func postponeMessage(_ rowID: Int64, by delay: Duration) async throws(StoreError) {
        try await execute(
            "UPDATE outbox SET attempts = attempts + 1, due_at = now() + $2 * interval '1 millisecond' WHERE id = $1",
            [.integer(Int(rowID)), .milliseconds(delay)])
    }

    func timeToNextMessage() async throws(StoreError) -> Duration? {
        try await one("SELECT extract(epoch FROM min(due_at) - now())::double precision FROM outbox") {
            try $0.optionalDouble(0).map { .seconds($0) }
        }
    }

    func outboxLength(within horizon: Duration, upTo limit: Int) async throws(StoreError) -> Int {
        try await one(
            """
            SELECT count(*) FROM (
                SELECT FROM outbox WHERE due_at < now() + $1 * interval '1 millisecond' LIMIT $2
            ) AS waiting
            """, [.milliseconds(horizon), .integer(limit)]
        ) { try $0.integer(0) }
    }
}
