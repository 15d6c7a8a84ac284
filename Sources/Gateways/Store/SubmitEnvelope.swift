internal import Envelopes
internal import EventLoops
internal import PostgreSQL

/// A new envelope, complete, and the message that will carry it.
struct Submission: Sendable {
    var id: String
    var actors: [String]
    var payload: RawJSON
    /// The message up to and with `"payload":`.
    var messageHead: [UInt8]
    var schedule: Schedule

    var message: [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(messageHead.count + payload.bytes.count + 1)
        message += messageHead
        message += payload.bytes
        message.append(UInt8(ascii: "}"))
        return message
    }
}

extension EnvelopeStore {
    static let sendingMessage = "Sending envelope to first actor"

    /// Writes the envelope, the first entry of its history and its outbox row, all or nothing.
    /// - Parameter grace: how long the relay leaves the message to the caller, unless it starts later: then it is the relay's.
    /// - Returns: the outbox row's id, `nil` when an envelope of that id is there already.
    func submit(_ submission: Submission, grace: Duration) async throws(PostgreSQLError) -> Int64? {
        let rows = try await query(
            """
            WITH envelope AS (
                INSERT INTO envelopes (
                    id, route_actors, payload, timeout_sec, deadline, not_before, current_actor_name, message, total_actors)
                VALUES ($1, $2, $3, $4, $5, $6, ($2::text[])[1], $7, cardinality($2::text[]))
                ON CONFLICT (id) DO NOTHING
                RETURNING id, current_actor_name
            ), logged AS (
                INSERT INTO envelope_updates (envelope_id, status, message, progress_percent, actor, actors, current_actor_idx)
                SELECT id, CASE WHEN $6 IS NULL THEN 'running' ELSE 'pending' END, $7, 0, current_actor_name, $2, 0 FROM envelope
            )
            INSERT INTO outbox (envelope_id, actor, head, due_at)
            SELECT id, current_actor_name, $8, COALESCE($6, now() + $9 * interval '1 millisecond') FROM envelope
            RETURNING id
            """,
            [
                .text(submission.id), .texts(submission.actors), .json(submission.payload.bytes),
                .double(submission.schedule.timeoutSeconds), .time(microseconds: submission.schedule.deadline),
                .time(microseconds: submission.schedule.notBefore),
                .text(submission.schedule.startMessage ?? Self.sendingMessage),
                .text(String(decoding: submission.messageHead, as: UTF8.self)),
                .double(Double(grace.nanosecondsClamped / 1_000_000)),
            ])
        return try rows.first.map { (row) throws(PostgreSQLError) in Int64(try row.integer(0)) }
    }
}
