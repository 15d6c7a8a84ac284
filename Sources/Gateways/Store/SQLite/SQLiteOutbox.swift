internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func takeDueMessages(limit: Int, lease: Duration) async throws(StoreError) -> [OutboxMessage] {
        try await write { writer in try writer.takeDueMessages(limit: limit, lease: lease) }
    }

    func deleteMessages(_ rowIDs: [Int64]) async throws(StoreError) {
        try await execute("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))", [.integers(rowIDs)])
    }

    func deleteMessages(of envelopeIDs: [String]) async throws(StoreError) {
        try await execute(
            "DELETE FROM outbox WHERE envelope_id IN (SELECT value FROM json_each(?))", [.texts(envelopeIDs)])
    }

    func postponeMessage(_ rowID: Int64, by delay: Duration) async throws(StoreError) {
        try await write { writer in
            try writer.database.run(
                "UPDATE outbox SET attempts = attempts + 1, due_at = ? WHERE id = ?",
                [.time(microseconds: writer.now.later(by: delay)), .integer(Int(rowID))])
        }
    }

    func timeToNextMessage() async throws(StoreError) -> Duration? {
        let dueAt = try await read { database in
            try database.row("SELECT min(due_at) FROM outbox") { try $0.optionalMicroseconds(0) } ?? nil
        }
        return dueAt.map { .microseconds($0 - Timestamp.microsecondsNow()) }
    }

    func outboxLength(within horizon: Duration, upTo limit: Int) async throws(StoreError) -> Int {
        let end = Timestamp.microsecondsNow().later(by: horizon)
        return try await read { database in
            try database.row(
                "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE due_at < ? LIMIT ?)",
                [.time(microseconds: end), .integer(limit)]
            ) { try $0.integer(0) } ?? 0
        }
    }
}

extension StoreWriter {
    private struct Due {
        var rowID: Int64
        var envelopeID: String
        var actor: String
        var attempts: Int
        /// No actor has reported on it.
        var isWanted: Bool
        /// It has waited for its start.
        var starts: Bool
        /// Of a retry.
        var message: [UInt8]?
        var route: [String]
        var actorName: String?
    }

    fileprivate mutating func takeDueMessages(limit: Int, lease: Duration) throws -> [OutboxMessage] {
        let due = try database.rows(
            """
            SELECT o.id, o.envelope_id, o.actor, o.attempts, e.status IN ('pending', 'unknown'), o.due_at IS e.not_before,
                   o.head, o.payload, e.route_actors, e.current_actor_name
            FROM outbox o JOIN envelopes e ON e.id = o.envelope_id
            WHERE o.due_at <= ? ORDER BY o.due_at, o.id LIMIT ?
            """, [.time(microseconds: now), .integer(limit)]
        ) { row in
            Due(
                rowID: Int64(try row.integer(0)), envelopeID: try row.string(1), actor: try row.string(2),
                attempts: try row.integer(3), isWanted: try row.boolean(4), starts: try row.boolean(5),
                message: try row.optionalBytes(6).flatMap { head in
                    try row.optionalBytes(7).map { head + $0 + [UInt8(ascii: "}")] }
                }, route: try row.strings(8), actorName: try row.optionalString(9))
        }
        var messages: [OutboxMessage] = []
        for row in due {
            guard row.isWanted else {
                try database.run("DELETE FROM outbox WHERE id = ?", [.integer(Int(row.rowID))])
                continue
            }
            if row.starts { try start(row) }
            try database.run(
                "UPDATE outbox SET due_at = ? WHERE id = ?",
                [.time(microseconds: now.later(by: lease)), .integer(Int(row.rowID))])
            guard let body = try row.message ?? database.submittedMessage(of: row.envelopeID) else { continue }
            messages.append(
                OutboxMessage(
                    rowID: row.rowID, envelopeID: row.envelopeID, actor: row.actor, body: body, attempts: row.attempts))
        }
        return messages
    }

    private mutating func start(_ row: Due) throws {
        try database.run(
            "UPDATE envelopes SET message = ?, updated_at = ? WHERE id = ?",
            [.text(EnvelopeUpdate.sendingMessage), .time(microseconds: now), .text(row.envelopeID)])
        try log(
            Entry(
                envelopeID: row.envelopeID, status: .running, message: EnvelopeUpdate.sendingMessage, percent: 0,
                actor: row.actorName, actors: row.route, actorIndex: 0))
    }
}
