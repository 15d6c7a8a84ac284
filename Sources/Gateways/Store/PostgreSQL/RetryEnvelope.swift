internal import Envelopes
internal import EventLoops
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func retryable(_ id: String) async throws(StoreError) -> Retry.Known? {
        var known = try await query(
            """
            SELECT e.status, e.error, e.current_actor_name, e.current_actor_idx, e.replays, e.loops,
                   (SELECT sent_head FROM envelope_updates u WHERE u.envelope_id = e.id ORDER BY u.id LIMIT 1)
                       || e.payload::text || '}',
                   (SELECT failed_message FROM envelope_updates u
                    WHERE u.envelope_id = e.id AND u.failed_message IS NOT NULL
                      AND u.current_actor_idx = e.current_actor_idx ORDER BY u.id DESC LIMIT 1),
                   EXISTS (SELECT FROM cancellations c WHERE c.envelope_id = e.id)
            FROM envelopes e WHERE e.id = $1
            """, [.text(id)]
        ) { row in
            Retry.Known(
                id: id, status: EnvelopeStatus(rawValue: try row.string(0)) ?? .unknown,
                error: try row.optionalString(1), actorName: try row.optionalString(2),
                actorIndex: try row.integer(3), replays: try row.integer(4), loops: try row.integer(5),
                submitted: try row.optionalBytes(6), failed: try row.optionalBytes(7), fanOuts: 0,
                isBeingCancelled: try row.boolean(8))
        }.first
        // Behind the status: one that has ended makes no more children.
        known?.fanOuts = try await fanOuts(of: id)
        return known
    }

    /// How often an envelope has fanned out, as the ids of its latest children tell.
    private func fanOuts(of id: String) async throws(StoreError) -> Int {
        try await query(
            "SELECT id FROM envelopes WHERE parent_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000", [.text(id)]
        ) { Envelope.fanOuts(after: try $0.string(0), of: id) }.max() ?? 0
    }

    func reopen(
        with envelope: Envelope, message: String, grace: Duration
    ) async throws(StoreError) -> Int64? {
        let index = envelope.route.current
        return try await query(
            Self.reopenSQL,
            [
                .text(envelope.id), .integer(envelope.headers.replays), .integer(envelope.headers.loops),
                .texts(envelope.route.actors), .integer(index), .text(envelope.route.currentActor),
                .double(Double(index) * 100 / Double(max(1, envelope.route.actors.count))), .text(message),
                .text("\(envelope.id)/\(envelope.headers.replays)/reopened"),
                .text(String(decoding: envelope.head, as: UTF8.self)), .json(envelope.payload.bytes),
                .milliseconds(grace),
            ]
        ) { Int64(try $0.integer(0)) }.first
    }

    /// It is pending, not running: only so does the outbox know that no actor has the message yet.
    private static let reopenSQL = """
        WITH root AS MATERIALIZED (
            SELECT id, result FROM envelopes
            WHERE id = $1 AND status IN ('failed', 'cancelled') AND replays = $2 - 1 FOR NO KEY UPDATE
        ), kept AS ( -- the result of an end that isn't one any more stays in the history
            UPDATE envelope_updates u SET result = r.result FROM root r
            WHERE r.result IS NOT NULL AND u.id = (SELECT max(id) FROM envelope_updates WHERE envelope_id = r.id)
        ), moved AS (
            UPDATE envelopes e SET
                status = 'pending', replays = $2, loops = $3, route_actors = $4, total_actors = cardinality($4::text[]),
                current_actor_idx = $5, route_current = $5, actors_completed = $5, current_actor_name = $6,
                progress_percent = $7, message = $8, error = NULL, result = NULL, attempt = NULL, next_attempt_at = NULL,
                not_before = NULL, deadline = CASE WHEN deadline > now() THEN deadline END, updated_at = clock_timestamp()
            FROM root WHERE e.id = root.id
        ), logged AS (
            INSERT INTO envelope_updates (
                envelope_id, status, message, progress_percent, actor, actors, current_actor_idx, envelope_state, event_id)
            SELECT id, 'pending', $8, $7, $6, $4, $5, '\(EnvelopeChange.reopened)', $9 FROM root
        ), forgotten AS (
            DELETE FROM cancellations c USING root WHERE c.envelope_id = root.id
        ), unsent AS (
            DELETE FROM outbox o USING root WHERE o.envelope_id = root.id
        )
        INSERT INTO outbox (envelope_id, actor, head, payload, due_at)
        SELECT id, $6, $10, $11, now() + $12 * interval '1 millisecond' FROM root
        RETURNING id
        """
}
