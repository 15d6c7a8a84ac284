internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    /// It looks at no more: an index by actor would have to be written for each step of each envelope.
    func work() async throws(StoreError) -> [String: ActorWork] {
        let work = try await query(Self.workSQL) { row in
            (try row.string(0), ActorWork(inFlight: try row.integer(1), oldestAt: try row.microseconds(2)))
        }
        return Dictionary(uniqueKeysWithValues: work)
    }

    /// Behind the route's end, it is happy-end's turn. The statuses are no parameter: the planner would take each for a third of the table.
    static let workSQL = """
        SELECT COALESCE(actor, 'happy-end'), count(*) FILTER (WHERE is_begun), min(updated_at)
        FROM (\(["pending", "running", "retrying"].map(unfinishedSQL).joined(separator: " UNION ALL "))) AS envelope
        GROUP BY 1
        """

    private static func unfinishedSQL(_ status: String) -> String {
        """
        (SELECT route_actors[current_actor_idx + 1] AS actor, updated_at,
                status <> 'pending' AND current_actor_name = route_actors[current_actor_idx + 1] AS is_begun
         FROM envelopes
         WHERE status = '\(status)' AND (not_before IS NULL OR not_before <= now())
         ORDER BY created_at, id LIMIT 50000)
        """
    }

    func rates() async throws(StoreError) -> ActorRates {
        let rows = try await query(Self.ratesSQL) { row in
            let counts = ActorRates.Counts(
                completed: try row.integer(1), failed: try row.integer(2), retried: try row.integer(3))
            return (actor: try row.optionalString(0), counts: counts, seconds: try row.double(4))
        }
        var rates = ActorRates(seconds: rows.first?.seconds ?? 300, counts: [:])
        for row in rows { if let actor = row.actor { rates.counts[actor] = row.counts } }
        return rates
    }

    /// Ids grow with time: a thousand at a time it walks back to where the five minutes begin. No index by time is needed.
    static let ratesSQL = """
        WITH RECURSIVE step AS (
            SELECT max(id) AS id, 0 AS number FROM envelope_updates
            UNION ALL
            SELECT earlier.id, step.number + 1 FROM step CROSS JOIN LATERAL (
                SELECT id, timestamp FROM envelope_updates WHERE id < step.id - 1000 ORDER BY id DESC LIMIT 1
            ) AS earlier
            WHERE earlier.timestamp > now() - interval '5 minutes' AND step.number < 50
        ), recent AS MATERIALIZED (
            SELECT actor, status, envelope_state, timestamp FROM envelope_updates
            WHERE id BETWEEN (SELECT min(id) - 1001 FROM step) AND (SELECT max(id) FROM step)
              AND timestamp > now() - interval '5 minutes'
        )
        SELECT actor, count(*) FILTER (WHERE envelope_state = 'completed'), count(*) FILTER (WHERE status = 'failed'),
               count(*) FILTER (WHERE envelope_state = 'retrying'),
               CASE WHEN (SELECT max(number) FROM step) < 50 THEN 300
                    ELSE GREATEST(1, (SELECT extract(epoch FROM now() - min(timestamp)) FROM recent)) END::double precision
        FROM recent GROUP BY actor
        """
}
