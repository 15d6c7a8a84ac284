internal import Envelopes
internal import EventLoops
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func submit(_ submissions: [Submission], grace: Duration) async throws(StoreError) -> [SubmissionOutcome] {
        while true {
            do throws(StoreError) {
                var outcomes = try await submitOnce(submissions, grace: grace)
                // An id of the caller's own may have been taken by the same request with the same key, just now.
                let taken = outcomes.indices.filter { outcomes[$0] == .duplicate && submissions[$0].key != nil }
                if taken.isEmpty { return outcomes }
                let again = try await submitOnce(taken.map { submissions[$0] }, grace: grace)
                for (index, outcome) in zip(taken, again) { outcomes[index] = outcome }
                return outcomes
            } catch {
                // Somebody has just used one of the keys: now the answer is there to be read.
                guard error.code == .alreadyThere && submissions.contains(where: { $0.key != nil }) else {
                    throw error
                }
            }
        }
    }

    private func submitOnce(
        _ submissions: [Submission], grace: Duration
    ) async throws(StoreError) -> [SubmissionOutcome] {
        try await self.submissions.run(
            submissions, names: Set(submissions.flatMap(\.names)), weight: submissions.reduce(0) { $0 + $1.size }
        ) { (submissions) async throws(StoreError) in
            // The grace is the gateway's: the same for all callers.
            try await submitTogether(submissions, grace: grace)
        }
    }

    private func submitTogether(
        _ submissions: [Submission], grace: Duration
    ) async throws(StoreError) -> [SubmissionOutcome] {
        let schedules = submissions.map(\.schedule)
        return try await query(
            Self.submitSQL,
            [
                .texts(submissions.map(\.id)), .jsons(submissions.map { jsonList($0.actors) }),
                .texts(submissions.map(\.tool)), .jsons(submissions.map(\.payload.bytes)),
                .doubles(schedules.map(\.timeoutSeconds)), .times(microseconds: schedules.map(\.deadline)),
                .times(microseconds: schedules.map(\.notBefore)),
                .texts(schedules.map { $0.startMessage ?? EnvelopeUpdate.sendingMessage }),
                .texts(submissions.map { String(decoding: $0.messageHead, as: UTF8.self) }),
                .milliseconds(grace),
                .texts(submissions.map(\.principal)), .texts(submissions.map { $0.key?.text }),
                .texts(submissions.map { $0.key?.digest }), .jsons(submissions.map(\.answer.bytes)),
            ]
        ) { row in
            if let digest = try row.optionalString(1) { return .repeated(digest: digest, answer: try row.bytes(2)) }
            return try row.optionalInteger(0).map { .accepted(rowID: Int64($0)) } ?? .duplicate
        }
    }

    private static let submitSQL = """
        WITH given AS MATERIALIZED (
            SELECT s.*, ARRAY(SELECT json_array_elements_text(s.actor_list)) AS actors
            FROM unnest(
                $1::text[], $2::json[], $3::text[], $4::json[], $5::double precision[], $6::timestamptz[], $7::timestamptz[],
                $8::text[], $9::text[], $11::text[], $12::text[], $13::text[], $14::json[])
                WITH ORDINALITY AS s(
                    id, actor_list, tool, payload, timeout_sec, deadline, not_before, message, head, principal, key, digest, answer,
                    position)
        ), known AS MATERIALIZED (
            SELECT g.id, k.digest, k.answer FROM given g JOIN idempotency_keys k ON k.principal = COALESCE(g.principal, '') AND k.key = g.key
        ), envelope AS (
            INSERT INTO envelopes (
                id, route_actors, tool, principal, payload, timeout_sec, deadline, not_before, current_actor_name, message, total_actors)
            SELECT id, actors, tool, principal, payload, timeout_sec, deadline, not_before, actors[1], message, cardinality(actors)
            FROM given WHERE id NOT IN (SELECT id FROM known) ORDER BY id
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        ), accepted AS MATERIALIZED (
            SELECT * FROM given WHERE id IN (SELECT id FROM envelope)
        ), logged AS (
            INSERT INTO envelope_updates (
                envelope_id, status, message, progress_percent, actor, actors, current_actor_idx, sent_head)
            SELECT id, CASE WHEN not_before IS NULL THEN 'running' ELSE 'pending' END, message, 0, actors[1], actors, 0, head
            FROM accepted ORDER BY position
        ), keyed AS (
            INSERT INTO idempotency_keys (principal, key, digest, answer)
            SELECT COALESCE(principal, ''), key, digest, answer FROM accepted WHERE key IS NOT NULL
        ), sent AS (
            INSERT INTO outbox (envelope_id, actor, due_at)
            SELECT id, actors[1], COALESCE(not_before, now() + $10 * interval '1 millisecond') FROM accepted ORDER BY position
            RETURNING id, envelope_id
        )
        SELECT s.id, k.digest, k.answer
        FROM given g LEFT JOIN sent s ON s.envelope_id = g.id LEFT JOIN known k ON k.id = g.id
        ORDER BY g.position
        """
}

extension Submission {
    /// What must be new: no two of a statement may have it.
    fileprivate var names: [String] { ["id \(id)"] + (key.map { ["key \(principal ?? "") \($0.text)"] } ?? []) }
    fileprivate var size: Int { payload.bytes.count + messageHead.count }
}
