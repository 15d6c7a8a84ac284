internal import GRDB

extension SQLiteEnvelopeStore {
    func cancel(_ id: String) async throws(StoreError) -> Int {
        try await write { writer in try writer.cancel(id) }
    }

    // MARK: What sidecars are to be told

    func unannouncedCancellations(limit: Int) async throws(StoreError) -> [String] {
        try await read { database in
            try database.rows(
                "SELECT envelope_id FROM cancellations WHERE announced_at IS NULL LIMIT ?", [.integer(limit)]
            ) { try $0.string(0) }
        }
    }

    func markAnnounced(_ ids: [String]) async throws(StoreError) {
        try await write { writer in
            try writer.database.run(
                "UPDATE cancellations SET announced_at = ? WHERE envelope_id IN (SELECT value FROM json_each(?))",
                [.time(microseconds: writer.now), .texts(ids)])
        }
    }

    func announceAgain(_ ids: Set<String>) async throws(StoreError) {
        try await write { writer in
            try writer.database.run(
                """
                INSERT INTO cancellations (envelope_id, requested_at)
                SELECT id, ?1 FROM envelopes WHERE id IN (SELECT value FROM json_each(?2)) AND status = 'cancelled'
                ON CONFLICT (envelope_id) DO UPDATE SET announced_at = NULL WHERE cancellations.announced_at < ?3
                """,
                [
                    .time(microseconds: writer.now), .texts(ids),
                    .time(microseconds: writer.now.later(by: .seconds(-5))),
                ])
        }
    }

    func forgetCancellations(of ids: Set<String>) async throws(StoreError) {
        try await execute(
            "DELETE FROM cancellations WHERE envelope_id IN (SELECT value FROM json_each(?))", [.texts(ids)])
    }

    func latestCancellations(limit: Int) async throws(StoreError) -> [String] {
        try await read { database in
            try database.rows(
                "SELECT envelope_id FROM cancellations ORDER BY requested_at DESC LIMIT ?", [.integer(limit)]
            ) { try $0.string(0) }
        }
    }

    func forgetOldCancellations() async throws(StoreError) {
        try await write { writer in
            try writer.database.run(
                "DELETE FROM cancellations WHERE requested_at < ?",
                [.time(microseconds: writer.now.later(by: .seconds(-60 * 86_400)))])
        }
    }
}

extension StoreWriter {
    private struct Member {
        var id: String
        var error: String?
        var actorName: String?
        var notBefore: Int64?
    }

    /// What `EnvelopeStateMachine` makes of a final report that knows no more than status and message, for the whole family.
    fileprivate mutating func cancel(_ id: String) throws -> Int {
        let members = try database.rows(
            """
            WITH RECURSIVE \(FamilySQL.family(
                of: "SELECT id, status, 0 FROM envelopes WHERE id = ? AND status NOT IN ('succeeded', 'failed')"))
            SELECT DISTINCT e.id, e.error, e.current_actor_name, e.not_before FROM family f JOIN envelopes e ON e.id = f.id
            WHERE e.status NOT IN \(EnvelopeStatus.finalList) ORDER BY e.id
            """, [.text(id)]
        ) { row in
            Member(
                id: try row.string(0), error: try row.optionalString(1), actorName: try row.optionalString(2),
                notBefore: try row.optionalMicroseconds(3))
        }
        for member in members {
            try cancel(member, message: member.id == id ? "Envelope cancelled" : "Cancelled with \(id)")
        }
        return members.count
    }

    private mutating func cancel(_ member: Member, message: String) throws {
        try database.run(
            """
            UPDATE envelopes SET
                status = 'cancelled', progress_percent = 100, message = ?2, result = NULL, next_attempt_at = NULL, updated_at = ?3
            WHERE id = ?1
            """, [.text(member.id), .text(message), .time(microseconds: now)])
        try log(
            Entry(
                envelopeID: member.id, status: .cancelled, message: message, error: member.error, percent: 100,
                actor: member.actorName))
        // A message that waits for its start has not left the database: no sidecar needs to hear of it.
        let waited = try database.run(
            "DELETE FROM outbox WHERE envelope_id = ? AND due_at = ?",
            [.text(member.id), .time(microseconds: member.notBefore)])
        try database.run("DELETE FROM outbox WHERE envelope_id = ?", [.text(member.id)])
        if !waited { try noteCancellation(of: member.id) }
    }
}
