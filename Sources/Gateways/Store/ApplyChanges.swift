internal import Envelopes
internal import PostgreSQL

/// What became of a report.
enum ChangeOutcome: Sendable, Hashable {
    /// Written; the envelope's percent afterwards.
    case applied(percent: Double)
    /// The envelope has ended, or the report has been counted before; the envelope's percent as it is.
    case ignored(percent: Double)
    /// There is no such envelope.
    case unknown
}

extension EnvelopeStore {
    /// Carries out `EnvelopeStateMachine`'s rule for many reports, in their order. One statement serves one report of each envelope, so
    /// a batch takes as many statements as the most frequent envelope has reports.
    ///
    /// A report of an unknown envelope that names a parent comes from a child whose `created` report is still on its way: it
    /// registers the child.
    /// - Returns: an outcome for each change, in the same order.
    func apply(_ changes: [EnvelopeChange]) async throws(PostgreSQLError) -> [ChangeOutcome] {
        var outcomes = Array(repeating: ChangeOutcome.unknown, count: changes.count)
        for round in rounds(of: changes) {
            var results = try await applyOnce(round.map { changes[$0] })
            let orphans = round.indices.filter { results[$0] == .unknown && changes[round[$0]].parentID != nil }
            if !orphans.isEmpty {
                let orphanChanges = orphans.map { changes[round[$0]] }
                try await register(
                    orphanChanges.map {
                        FanOutChild(
                            id: $0.envelopeID, parentID: $0.parentID ?? "", actors: $0.actors,
                            actorIndex: $0.actorIndex ?? 0)
                    })
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

    private func applyOnce(_ changes: [EnvelopeChange]) async throws(PostgreSQLError) -> [ChangeOutcome] {
        let rows = try await query(
            Self.applySQL,
            [
                .texts(changes.map(\.envelopeID.withoutNUL)), .texts(changes.map { $0.eventID?.withoutNUL }),
                .texts(changes.map(\.status.rawValue)), .texts(changes.map(\.phase)),
                .jsons(changes.map { $0.actors.isEmpty ? nil : jsonList($0.actors) }),
                .integers(changes.map(\.actorIndex)),
                .texts(changes.map { $0.actorName?.withoutNUL }), .doubles(changes.map(\.percent)),
                .texts(changes.map(\.message.withoutNUL)), .jsons(changes.map { $0.result?.bytes }),
                .texts(changes.map { $0.error?.withoutNUL }),
            ])
        return try rows.map { (row) throws(PostgreSQLError) in
            guard let percent = try row.optionalDouble(1) else { return .unknown }
            return try row.boolean(0) ? .applied(percent: percent) : .ignored(percent: percent)
        }
    }

    /// Locks in the order of ids, so that batches of two gateways wait for each other instead of deadlocking. The history's ids are
    /// taken under these locks. A status is compared and set in the UPDATE: PostgreSQL checks its condition again on the row as
    /// it is once locked.
    private static let applySQL = """
        WITH report AS (
            SELECT r.*, r.status IN \(EnvelopeStatus.finalList) AS is_final,
                   CASE WHEN actor_list IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(actor_list)) END AS actors
            FROM unnest(
                $1::text[], $2::text[], $3::text[], $4::text[], $5::json[], $6::bigint[], $7::text[], $8::double precision[],
                $9::text[], $10::json[], $11::text[]) WITH ORDINALITY
                AS r(id, event_id, status, phase, actor_list, idx, actor, percent, message, result, error, position)
        ), locked AS MATERIALIZED (
            SELECT e.id FROM envelopes e WHERE e.id IN (SELECT id FROM report) ORDER BY e.id FOR NO KEY UPDATE
        ), moved AS (
            UPDATE envelopes e SET
                progress_percent = GREATEST(e.progress_percent, r.percent),
                status = CASE WHEN \(isNews) THEN r.status ELSE e.status END,
                route_actors = CASE WHEN \(isNews) THEN COALESCE(r.actors, e.route_actors) ELSE e.route_actors END,
                total_actors = CASE WHEN \(isNews) THEN COALESCE(cardinality(r.actors), e.total_actors) ELSE e.total_actors END,
                current_actor_idx = CASE WHEN \(isNews) THEN GREATEST(e.current_actor_idx, r.idx) ELSE e.current_actor_idx END,
                route_current = CASE WHEN \(isNews) THEN GREATEST(e.route_current, r.idx) ELSE e.route_current END,
                actors_completed = CASE
                    WHEN r.status = 'succeeded' THEN COALESCE(cardinality(r.actors), e.total_actors)
                    WHEN \(isNews) THEN LEAST(
                        GREATEST(e.current_actor_idx, r.idx), COALESCE(cardinality(r.actors), e.total_actors))
                    ELSE e.actors_completed END,
                current_actor_name = CASE WHEN \(isNews) THEN COALESCE(r.actor, e.current_actor_name) ELSE e.current_actor_name END,
                message = CASE WHEN \(isNews) THEN r.message ELSE e.message END,
                error = CASE WHEN \(isNews) THEN COALESCE(r.error, e.error) ELSE e.error END,
                result = CASE WHEN r.is_final THEN r.result ELSE e.result END,
                updated_at = clock_timestamp()
            FROM report r JOIN locked l ON l.id = r.id
            WHERE e.id = l.id
              AND e.status NOT IN \(EnvelopeStatus.finalList)
              AND NOT EXISTS (SELECT FROM envelope_updates u WHERE u.envelope_id = r.id AND u.event_id = r.event_id)
            RETURNING e.id, e.status, e.progress_percent, r.event_id, r.phase, r.actors, r.idx, r.actor, r.message, r.error,
                      CASE WHEN NOT r.is_final THEN r.result END AS result
        ), logged AS (
            INSERT INTO envelope_updates (
                envelope_id, status, message, result, error, progress_percent, actor, actors, current_actor_idx, envelope_state,
                event_id)
            SELECT id, status, message, result, error, progress_percent, actor, actors, idx, phase, event_id FROM moved
            ON CONFLICT (envelope_id, event_id) WHERE event_id IS NOT NULL DO NOTHING
        )
        SELECT m.id IS NOT NULL, COALESCE(m.progress_percent, e.progress_percent)
        FROM report r LEFT JOIN moved m ON m.id = r.id LEFT JOIN envelopes e ON e.id = r.id
        ORDER BY r.position
        """

    /// A report from an actor that the envelope has left behind is history, but no news.
    private static let isNews = "(r.is_final OR r.idx IS NULL OR r.idx >= e.current_actor_idx)"
}
