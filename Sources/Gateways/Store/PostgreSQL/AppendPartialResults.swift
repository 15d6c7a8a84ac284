internal import Envelopes
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    /// All of it with one statement.
    func append(_ reports: [PartialResults], limit: Int) async throws(StoreError) -> [PartialOutcome] {
        var outcomes = try await appendOnce(reports, limit: limit)
        // As with other reports: a child's `created` may still be on its way.
        let orphans = outcomes.indices.filter { outcomes[$0] == .unknown && reports[$0].parentID != nil }
        guard !orphans.isEmpty else { return outcomes }
        _ = try await register(orphans.compactMap { reports[$0].child })
        for (place, outcome) in zip(orphans, try await appendOnce(orphans.map { reports[$0] }, limit: limit)) {
            outcomes[place] = outcome
        }
        return outcomes
    }

    private func appendOnce(
        _ reports: [PartialResults], limit: Int
    ) async throws(StoreError) -> [PartialOutcome] {
        let all = reports.flatMap { report in report.events.map { (report: report, event: $0) } }
        guard !all.isEmpty else { return reports.map { _ in .ignored } }
        let results = try await query(
            Self.appendSQL,
            [
                .texts(all.map(\.report.envelopeID.withoutNUL)), .texts(all.map { $0.event.id?.withoutNUL }),
                .texts(all.map(\.event.type.withoutNUL)), .jsons(all.map(\.event.data.bytes)),
                .times(microseconds: all.map(\.event.timestamp)), .doubles(all.map(\.event.percent)),
                .texts(all.map { $0.event.message?.withoutNUL }),
                .texts(all.map { $0.report.actorName?.withoutNUL }), .integers(all.map(\.report.actorIndex)),
                .integers(all.map(\.report.round.replays)), .integers(all.map(\.report.round.loops)),
                .integers(all.map(\.report.attempt)), .texts(all.map { $0.report.call?.withoutNUL }),
                .integer(limit), .json(PartialResults.fullNotice(limit).bytes),
            ]
        ) { row -> PartialOutcome in try row.isNull(0) ? .unknown : row.boolean(0) ? .applied : .ignored }
        var first = 0
        return reports.map { report in
            guard !report.events.isEmpty else { return .ignored }
            defer { first += report.events.count }
            return results[first]
        }
    }

    /// Under the same locks, and with the same rules, as `applySQL`: an envelope that has ended takes none, ids are taken while the
    /// envelope's row is locked, what was counted before changes nothing, and what an earlier actor tells is history but no news.
    ///
    /// `updated_at` stays but for progress: nothing else about the envelope itself has changed.
    private static let appendSQL = """
        WITH event AS (
            SELECT * FROM unnest(
                $1::text[], $2::text[], $3::text[], $4::json[], $5::timestamptz[], $6::double precision[], $7::text[], $8::text[],
                $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[])
                WITH ORDINALITY AS r(
                    id, event_id, type, data, at, percent, message, actor, idx, replays, loops, attempt, call, position)
        ), locked AS MATERIALIZED (
            SELECT e.id, e.status, e.progress_percent, e.replays, e.loops, e.current_actor_idx, e.partial_count
            FROM envelopes e WHERE e.id IN (SELECT id FROM event) ORDER BY e.id FOR NO KEY UPDATE
        ), due AS (
            SELECT r.*, e.status, GREATEST(e.progress_percent, r.percent) AS percent_after,
                   (r.replays, r.loops, r.idx) >= (e.replays, e.loops, e.current_actor_idx) AS is_news,
                   e.partial_count + row_number() OVER (PARTITION BY r.id ORDER BY r.position) AS number
            FROM event r JOIN locked e ON e.id = r.id
            WHERE e.status NOT IN \(EnvelopeStatus.finalList)
        ), logged AS (
            INSERT INTO envelope_updates (
                envelope_id, status, message, result, progress_percent, actor, current_actor_idx, attempt, event_id, timestamp,
                partial_type, partial_call)
            SELECT id, status, CASE WHEN number <= $14 THEN COALESCE(message, '') ELSE '' END,
                   CASE WHEN number <= $14 THEN data ELSE $15::json END,
                   CASE WHEN number <= $14 AND percent IS NOT NULL THEN percent_after END,
                   actor, idx, attempt, event_id, COALESCE(at, clock_timestamp()),
                   CASE WHEN number <= $14 THEN type ELSE 'log' END, call
            FROM due WHERE number <= $14 + 1 ORDER BY position
            ON CONFLICT (envelope_id, event_id) WHERE event_id IS NOT NULL DO NOTHING
            RETURNING envelope_id, event_id
        ), progress AS (
            SELECT id, max(percent_after) AS percent,
                   (array_agg(message ORDER BY position DESC) FILTER (WHERE is_news AND message IS NOT NULL))[1] AS message
            FROM due
            WHERE percent IS NOT NULL AND number <= $14
              AND (event_id IS NULL OR (id, event_id) IN (SELECT envelope_id, event_id FROM logged))
            GROUP BY id
        ), moved AS (
            UPDATE envelopes e SET
                partial_count = e.partial_count + l.count,
                progress_percent = COALESCE(p.percent, e.progress_percent),
                message = COALESCE(p.message, e.message),
                updated_at = CASE WHEN p.id IS NULL THEN e.updated_at ELSE clock_timestamp() END
            FROM (SELECT envelope_id, count(*) FROM logged GROUP BY envelope_id) l LEFT JOIN progress p ON p.id = l.envelope_id
            WHERE e.id = l.envelope_id
        )
        SELECT CASE WHEN e.id IS NOT NULL THEN r.id IN (SELECT envelope_id FROM logged) END
        FROM event r LEFT JOIN locked e ON e.id = r.id
        ORDER BY r.position
        """
}
