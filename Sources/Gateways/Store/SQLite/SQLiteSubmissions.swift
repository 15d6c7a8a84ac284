internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func submit(_ submissions: [Submission], grace: Duration) async throws(StoreError) -> [SubmissionOutcome] {
        try await write { writer in
            try submissions.map { submission in try writer.submit(submission, grace: grace) }
        }
    }
}

extension StoreWriter {
    fileprivate mutating func submit(_ submission: Submission, grace: Duration) throws -> SubmissionOutcome {
        let principal = DatabaseValue.text(submission.principal ?? "")
        if let key = submission.key {
            let known = try database.row(
                "SELECT digest, answer FROM idempotency_keys WHERE principal = ? AND key = ?",
                [principal, .text(key.text)]
            ) { row in SubmissionOutcome.repeated(digest: try row.string(0), answer: try row.optionalBytes(1) ?? []) }
            if let known { return known }
        }
        guard try insert(submission) else { return .duplicate }
        try log(
            Entry(
                envelopeID: submission.id, status: submission.schedule.notBefore == nil ? .running : .pending,
                message: submission.firstMessage, percent: 0, actor: submission.actors.first,
                actors: submission.actors, actorIndex: 0, sentHead: .bytes(submission.messageHead)))
        if let key = submission.key {
            try database.run(
                "INSERT INTO idempotency_keys (principal, key, digest, answer, created_at) VALUES (?, ?, ?, ?, ?)",
                [
                    principal, .text(key.text), .text(key.digest), .json(submission.answer),
                    .time(microseconds: now),
                ])
        }
        let dueAt = submission.schedule.notBefore ?? now.later(by: grace)
        return .accepted(
            rowID: try send(to: submission.actors.first, submission.id, head: .null, payload: .null, dueAt: dueAt))
    }

    /// - Returns: whether there was none of that id.
    private func insert(_ submission: Submission) throws -> Bool {
        let schedule = submission.schedule
        let isNew = try database.run(
            """
            INSERT INTO envelopes (
                id, status, route_actors, tool, principal, timeout_sec, deadline, not_before, created_at, updated_at,
                current_actor_name, message, total_actors)
            VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO NOTHING
            """,
            [
                .text(submission.id), .texts(submission.actors), .text(submission.tool), .text(submission.principal),
                .double(schedule.timeoutSeconds), .time(microseconds: schedule.deadline),
                .time(microseconds: schedule.notBefore), .time(microseconds: now), .time(microseconds: now),
                .text(submission.actors.first), .text(submission.firstMessage), .integer(submission.actors.count),
            ])
        guard isNew else { return false }
        try database.run(
            "INSERT INTO payloads (envelope_id, payload) VALUES (?, ?)",
            [.text(submission.id), .json(submission.payload)])
        return true
    }

    /// - Returns: the outbox row's id.
    func send(
        to actor: String?, _ id: String, head: DatabaseValue, payload: DatabaseValue, dueAt: Int64
    ) throws -> Int64 {
        try database.run(
            "INSERT INTO outbox (envelope_id, actor, head, payload, due_at, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                .text(id), .text(actor), head, payload, .time(microseconds: dueAt), .time(microseconds: now),
            ])
        return database.lastInsertedRowID
    }
}

extension Submission {
    fileprivate var firstMessage: String { schedule.startMessage ?? EnvelopeUpdate.sendingMessage }
}
