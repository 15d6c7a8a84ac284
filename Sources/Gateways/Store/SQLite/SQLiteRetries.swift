internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func retryable(_ id: String) async throws(StoreError) -> Retry.Known? {
        try await read { database in
            try database.row(
                """
                SELECT status, error, current_actor_name, current_actor_idx, replays, loops,
                       EXISTS (SELECT 1 FROM cancellations c WHERE c.envelope_id = e.id)
                FROM envelopes e WHERE id = ?
                """, [.text(id)]
            ) { row in
                let index = try row.integer(3)
                return Retry.Known(
                    id: id, status: EnvelopeStatus(rawValue: try row.string(0)) ?? .unknown,
                    error: try row.optionalString(1), actorName: try row.optionalString(2), actorIndex: index,
                    replays: try row.integer(4), loops: try row.integer(5),
                    submitted: try database.submittedMessage(of: id),
                    failed: try database.failedMessage(of: id, at: index), fanOuts: try database.fanOuts(of: id),
                    isBeingCancelled: try row.boolean(6))
            }
        }
    }

    func reopen(
        with envelope: Envelope, message: String, grace: Duration
    ) async throws(StoreError) -> Int64? {
        try await write { writer in try writer.reopen(with: envelope, message: message, grace: grace) }
    }
}

extension Database {
    /// What was submitted, whole; `nil` for the child of a fan-out.
    func submittedMessage(of id: String) throws -> [UInt8]? {
        let parts = try row(
            """
            SELECT (SELECT sent_head FROM envelope_updates WHERE envelope_id = ?1 ORDER BY id LIMIT 1),
                   (SELECT payload FROM payloads WHERE envelope_id = ?1)
            """, [.text(id)]
        ) { row in (head: try row.optionalBytes(0), payload: try row.optionalBytes(1)) }
        guard let parts, let head = parts.head, let payload = parts.payload else { return nil }
        return head + payload + [UInt8(ascii: "}")]
    }

    /// What the actor at this place got last, before the envelope failed there.
    fileprivate func failedMessage(of id: String, at index: Int) throws -> [UInt8]? {
        try row(
            """
            SELECT failed_message FROM envelope_updates
            WHERE envelope_id = ? AND failed_message IS NOT NULL AND current_actor_idx = ? ORDER BY id DESC LIMIT 1
            """, [.text(id), .integer(index)]
        ) { try $0.optionalBytes(0) } ?? nil
    }

    /// How often an envelope has fanned out, as the ids of its latest children tell.
    fileprivate func fanOuts(of id: String) throws -> Int {
        try rows(
            "SELECT id FROM envelopes WHERE parent_id = ? ORDER BY created_at DESC, id DESC LIMIT 1000", [.text(id)]
        ) { Envelope.fanOuts(after: try $0.string(0), of: id) }.max() ?? 0
    }
}

extension StoreWriter {
    /// It is pending, not running: only so does the outbox know that no actor has the message yet.
    fileprivate mutating func reopen(with envelope: Envelope, message: String, grace: Duration) throws -> Int64? {
        let root = try database.row(
            "SELECT result FROM envelopes WHERE id = ? AND status IN ('failed', 'cancelled') AND replays = ?",
            [.text(envelope.id), .integer(envelope.headers.replays - 1)]
        ) { try $0.optionalBytes(0) }
        guard let root else { return nil }
        if let result = root { try keep(RawJSON(stored: result), of: envelope.id) }
        let id = DatabaseValue.text(envelope.id)
        let (actors, index) = (envelope.route.actors, envelope.route.current)
        let percent = Double(index) * 100 / Double(max(1, actors.count))
        try database.run(
            """
            UPDATE envelopes SET
                status = 'pending', replays = ?2, loops = ?3, route_actors = ?4, total_actors = ?5, current_actor_idx = ?6,
                route_current = ?6, actors_completed = ?6, current_actor_name = ?7, progress_percent = ?8, message = ?9, error = NULL,
                result = NULL, attempt = NULL, next_attempt_at = NULL, not_before = NULL,
                deadline = CASE WHEN deadline > ?10 THEN deadline END, updated_at = ?10
            WHERE id = ?1
            """,
            [
                id, .integer(envelope.headers.replays), .integer(envelope.headers.loops), .texts(actors),
                .integer(actors.count), .integer(index), .text(envelope.route.currentActor), .double(percent),
                .text(message), .time(microseconds: now),
            ])
        try log(
            Entry(
                envelopeID: envelope.id, status: .pending, message: message, percent: percent,
                actor: envelope.route.currentActor, actors: actors, actorIndex: index, phase: EnvelopeChange.reopened,
                eventID: "\(envelope.id)/\(envelope.headers.replays)/reopened"))
        try database.run("DELETE FROM cancellations WHERE envelope_id = ?", [id])
        try database.run("DELETE FROM outbox WHERE envelope_id = ?", [id])
        return try send(
            to: envelope.route.currentActor, envelope.id, head: .bytes(envelope.head), payload: .json(envelope.payload),
            dueAt: now.later(by: grace))
    }
}
