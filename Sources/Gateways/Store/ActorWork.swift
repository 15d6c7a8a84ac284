internal import PostgreSQL

/// What the database knows of the work at one actor.
struct ActorWork: Sendable, Hashable {
    /// Unfinished envelopes that it has reported on and not yet sent on.
    var inFlight = 0
    /// Of the unfinished envelope whose turn it is there and of which nothing was heard for longest: when that was. Microseconds since
    /// 1970.
    var oldestAt: Int64?
}

/// What actors have reported lately.
struct ActorRates: Sendable, Hashable {
    struct Counts: Sendable, Hashable {
        var completed = 0
        var failed = 0
        var retried = 0
    }

    /// What the counts are of: five minutes, or less where so much was reported.
    var seconds: Double
    var counts: [String: Counts]
}

extension EnvelopeStore {
    /// Unfinished envelopes by the actor whose turn it is. It looks at 50,000 of each status at most, those created first, and at no
    /// other: an index by actor would have to be written for each step of each envelope.
    func work() async throws(PostgreSQLError) -> [String: ActorWork] {
        let rows = try await query(Self.workSQL, [])
        var work: [String: ActorWork] = [:]
        for row in rows {
            work[try row.string(0)] = ActorWork(inFlight: try row.integer(1), oldestAt: try row.microseconds(2))
        }
        return work
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

    /// What was reported in the last five minutes, by actor; at most the last 50,000 reports or so.
    func rates() async throws(PostgreSQLError) -> ActorRates {
        var rates = ActorRates(seconds: 300, counts: [:])
        for row in try await query(Self.ratesSQL, []) {
            rates.seconds = try row.double(4)
            guard let actor = try row.optionalString(0) else { continue }
            rates.counts[actor] = ActorRates.Counts(
                completed: try row.integer(1), failed: try row.integer(2), retried: try row.integer(3))
        }
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
