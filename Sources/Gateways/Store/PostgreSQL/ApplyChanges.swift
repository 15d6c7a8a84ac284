internal import Envelopes
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    /// One statement serves one report of each envelope, so a batch takes as many statements as the most frequent envelope has reports.
    func apply(_ changes: [EnvelopeChange]) async throws(StoreError) -> [ChangeOutcome] {
        var outcomes = Array(repeating: ChangeOutcome.unknown, count: changes.count)
        for round in rounds(of: changes) {
            var results = try await applyOnce(round.map { changes[$0] })
            let orphans = round.indices.filter { results[$0] == .unknown && changes[round[$0]].parentID != nil }
            if !orphans.isEmpty {
                let orphanChanges = orphans.map { changes[round[$0]] }
                _ = try await register(orphanChanges.compactMap(\.child))
                for (place, result) in zip(orphans, try await applyOnce(orphanChanges)) { results[place] = result }
            }
            for (index, result) in zip(round, results) { outcomes[index] = result }
        }
        return outcomes
    }

    /// Indexes of the changes such that each envelope stands at most once in a round.
    private func rounds(of changes: [EnvelopeChange]) -> [[Int]] {
        var rounds: [[Int]] = []
        var counts: [String: Int] = [:]
        for (index, change) in changes.enumerated() {
            let round = counts[change.envelopeID, default: 0]
            counts[change.envelopeID] = round + 1
            if round == rounds.count { rounds.append([]) }
            rounds[round].append(index)
        }
        return rounds
    }

    private func applyOnce(_ changes: [EnvelopeChange]) async throws(StoreError) -> [ChangeOutcome] {
        try await self.changes.run(
            changes, names: Set(changes.map(\.envelopeID)), weight: changes.reduce(0) { $0 + $1.size }
        ) { (changes) async throws(StoreError) in
            try await applyTogether(changes)
        }
    }

    private func applyTogether(_ changes: [EnvelopeChange]) async throws(StoreError) -> [ChangeOutcome] {
        try await query(
            Self.applySQL,
            [
                .texts(changes.map(\.envelopeID.withoutNUL)), .texts(changes.map { $0.eventID?.withoutNUL }),
                .texts(changes.map(\.status.rawValue)), .texts(changes.map(\.phase)),
                .jsons(changes.map { $0.actors.isEmpty ? nil : jsonList($0.actors) }),
                .integers(changes.map(\.actorIndex)), .texts(changes.map { $0.actorName?.withoutNUL }),
                .integers(changes.map(\.round.replays)), .integers(changes.map(\.round.loops)),
                .integers(changes.map(\.attempt)), .times(microseconds: changes.map(\.nextAttemptAt)),
                .doubles(changes.map(\.percent)), .texts(changes.map(\.message.withoutNUL)),
                .jsons(changes.map { $0.result?.bytes }), .texts(changes.map { $0.error?.withoutNUL }),
                .jsons(changes.map { $0.failedMessage?.bytes }), .times(microseconds: changes.map(\.reportedAt)),
            ]
        ) { row in
            guard let percent = try row.optionalDouble(1) else { return .unknown }
            return try row.boolean(0)
                ? .applied(percent: percent) : .ignored(percent: percent, isCancelled: row.boolean(2))
        }
    }

    /// Locks in the order of ids, so that batches of two gateways wait for each other instead of deadlocking; looks at the envelopes
    /// as they are once locked, and takes the history's ids under these locks.
    ///
    /// The history decides what counts: of two writers of one report, as there are for a moment when one gateway takes over from
    /// another, only the first inserts it, and who hasn't inserted changes nothing.
    private static let applySQL = """
        WITH report AS (
            SELECT r.*, r.status IN \(EnvelopeStatus.finalList) AS is_final,
                   r.phase IS NOT DISTINCT FROM '\(EnvelopeChange.reopened)' AS reopens,
                   CASE WHEN actor_list IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(actor_list)) END AS actors
            FROM unnest(
                $1::text[], $2::text[], $3::text[], $4::text[], $5::json[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[],
                $10::bigint[], $11::timestamptz[], $12::double precision[], $13::text[], $14::json[], $15::text[],
                $16::json[], $17::timestamptz[])
                WITH ORDINALITY AS r(
                    id, event_id, status, phase, actor_list, idx, actor, replays, loops, attempt, next_attempt_at, percent,
                    message, result, error, failed_message, reported_at, position)
        ), locked AS MATERIALIZED (
            SELECT e.id, e.status, e.progress_percent, e.replays, e.loops, e.current_actor_idx, e.result
            FROM envelopes e WHERE e.id IN (SELECT id FROM report) ORDER BY e.id FOR NO KEY UPDATE
        ), due AS (
            SELECT r.*, \(isNews) AS is_news, r.reopens OR (r.replays, r.loops) > (e.replays, e.loops) AS begins_round,
                   CASE WHEN \(isNews) THEN r.status ELSE e.status END AS status_after,
                   GREATEST(e.progress_percent, r.percent) AS percent_after, e.result AS last_result
            FROM report r JOIN locked e ON e.id = r.id
            WHERE (e.status NOT IN \(EnvelopeStatus.finalList) OR (r.reopens AND e.status <> 'succeeded'))
              AND NOT ((r.is_final OR r.reopens) AND r.replays < e.replays)
        ), logged AS (
            INSERT INTO envelope_updates (
                envelope_id, status, message, result, error, progress_percent, actor, actors, current_actor_idx, envelope_state,
                attempt, next_attempt_at, event_id, failed_message, reported_at)
            SELECT id, status_after, message, CASE WHEN NOT is_final THEN result END, error, percent_after, actor, actors, idx,
                   phase, attempt, next_attempt_at, event_id, CASE WHEN is_final AND status_after <> 'succeeded' THEN failed_message END,
                   reported_at
            FROM due ORDER BY position
            ON CONFLICT (envelope_id, event_id) WHERE event_id IS NOT NULL DO NOTHING
            RETURNING envelope_id
        ), kept AS ( -- the result of an end that isn't one any more stays in the history
            UPDATE envelope_updates u SET result = r.last_result
            FROM due r
            WHERE r.reopens AND r.last_result IS NOT NULL AND \(isLogged)
              AND u.id = (SELECT max(id) FROM envelope_updates WHERE envelope_id = r.id)
              AND u.status IN \(EnvelopeStatus.finalList)
        ), moved AS (
            UPDATE envelopes e SET
                progress_percent = r.percent_after,
                status = r.status_after,
                route_actors = CASE WHEN r.is_news THEN COALESCE(r.actors, e.route_actors) ELSE e.route_actors END,
                total_actors = CASE WHEN r.is_news THEN COALESCE(cardinality(r.actors), e.total_actors) ELSE e.total_actors END,
                current_actor_idx = CASE WHEN r.is_news THEN \(newIndex) ELSE e.current_actor_idx END,
                route_current = CASE WHEN r.is_news THEN \(newIndex) ELSE e.route_current END,
                actors_completed = CASE
                    WHEN r.status = 'succeeded' THEN COALESCE(cardinality(r.actors), e.total_actors)
                    WHEN r.is_news THEN LEAST(\(newIndex), COALESCE(cardinality(r.actors), e.total_actors))
                    ELSE e.actors_completed END,
                current_actor_name = CASE WHEN r.is_news THEN COALESCE(r.actor, e.current_actor_name) ELSE e.current_actor_name END,
                replays = CASE WHEN r.begins_round THEN r.replays ELSE e.replays END,
                loops = CASE WHEN r.begins_round THEN r.loops ELSE e.loops END,
                attempt = CASE WHEN r.is_news AND NOT r.is_final THEN r.attempt ELSE e.attempt END,
                next_attempt_at = CASE WHEN r.is_news THEN r.next_attempt_at ELSE e.next_attempt_at END,
                message = CASE WHEN r.is_news THEN r.message ELSE e.message END,
                error = CASE
                    WHEN r.reopens THEN NULL WHEN r.is_news THEN COALESCE(r.error, e.error) ELSE e.error END,
                result = CASE WHEN r.is_final OR r.reopens THEN r.result ELSE e.result END,
                deadline = CASE WHEN r.reopens AND e.deadline < now() THEN NULL ELSE e.deadline END,
                updated_at = clock_timestamp()
            FROM due r
            WHERE e.id = r.id AND \(isLogged)
            RETURNING e.id, e.progress_percent
        )
        SELECT m.id IS NOT NULL, COALESCE(m.progress_percent, e.progress_percent), COALESCE(e.status = 'cancelled', false)
        FROM report r LEFT JOIN moved m ON m.id = r.id LEFT JOIN locked e ON e.id = r.id
        ORDER BY r.position
        """

    /// A report from an actor that the envelope has left behind is history, but no news.
    private static let isNews =
        "(r.is_final OR r.reopens OR (r.replays, r.loops, r.idx) >= (e.replays, e.loops, e.current_actor_idx))"

    /// Written so that it is looked up by hash. As a join it may compare each with each: the planner takes a batch for ten rows.
    private static let isLogged = "(r.id IN (SELECT envelope_id FROM logged)) IS TRUE"

    /// A new round may begin anywhere on the route; within one there is no way back.
    private static let newIndex =
        "COALESCE(CASE WHEN r.begins_round THEN r.idx ELSE GREATEST(e.current_actor_idx, r.idx) END, e.current_actor_idx)"
}

extension EnvelopeChange {
    fileprivate var size: Int { 200 + (result?.bytes.count ?? 0) + (failedMessage?.bytes.count ?? 0) }
}
