internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func work() async throws(StoreError) -> [String: ActorWork] {
        let now = Timestamp.microsecondsNow()
        return try await read { database in
            let work = try database.rows(Self.workSQL, [.time(microseconds: now)]) { row in
                (try row.string(0), ActorWork(inFlight: try row.integer(1), oldestAt: try row.microseconds(2)))
            }
            return Dictionary(uniqueKeysWithValues: work)
        }
    }

    /// Behind the route's end, it is happy-end's turn.
    private static let workSQL = """
        SELECT COALESCE(actor, 'happy-end'), count(*) FILTER (WHERE status <> 'pending' AND current_actor_name = actor),
               min(updated_at)
        FROM (\(["pending", "running", "retrying"].map(unfinishedSQL).joined(separator: " UNION ALL ")))
        GROUP BY 1
        """

    private static func unfinishedSQL(_ status: String) -> String {
        """
        SELECT * FROM (
            SELECT json_extract(route_actors, '$[' || current_actor_idx || ']') AS actor, status, current_actor_name, updated_at FROM envelopes
            WHERE status = '\(status)' AND (not_before IS NULL OR not_before <= ?1)
            ORDER BY created_at, id LIMIT 50000
        )
        """
    }

    func rates() async throws(StoreError) -> ActorRates {
        let now = Timestamp.microsecondsNow()
        return try await read { database in try database.rates(now: now) }
    }
}

extension Database {
    private static let countLimit = 50_000

    /// Ids grow with time: the last of them are all that can be of the last five minutes.
    fileprivate func rates(now: Int64) throws -> ActorRates {
        let begin = now.later(by: .seconds(-300))
        let last = try row("SELECT max(id) FROM envelope_updates") { try $0.optionalInteger(0) } ?? nil
        let first = (last ?? 0) - Self.countLimit
        var rates = ActorRates(seconds: 300, counts: [:])
        // Where the reports before the first one are of these five minutes, too.
        let before = try row(
            "SELECT timestamp FROM envelope_updates WHERE id <= ? ORDER BY id DESC LIMIT 1", [.integer(first)]
        ) { try $0.microseconds(0) }
        if let before, before > begin { rates.seconds = max(1, Double(now - before) / 1e6) }
        let counts = try rows(
            """
            SELECT actor, count(*) FILTER (WHERE envelope_state = 'completed'), count(*) FILTER (WHERE status = 'failed'),
                   count(*) FILTER (WHERE envelope_state = 'retrying')
            FROM envelope_updates WHERE id > ? AND timestamp > ? GROUP BY actor
            """, [.integer(first), .time(microseconds: begin)]
        ) { row in
            let counts = ActorRates.Counts(
                completed: try row.integer(1), failed: try row.integer(2), retried: try row.integer(3))
            return (actor: try row.optionalString(0), counts: counts)
        }
        for row in counts { if let actor = row.actor { rates.counts[actor] = row.counts } }
        return rates
    }
}
