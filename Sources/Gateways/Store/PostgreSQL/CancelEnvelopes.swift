internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func cancel(_ id: String) async throws(StoreError) -> Int {
        var total = 0
        while true {
            let count = try await one(Self.cancelSQL, [.text(id)]) { try $0.integer(0) }
            total += count
            // A child that was being registered meanwhile shows itself to the next statement; who comes later finds its parent
            // cancelled.
            if count == 0 { return total }
        }
    }

    /// What `EnvelopeStateMachine` makes of a final report that knows no more than status and message, for the whole family. A message
    /// that waits for its start has not left the database: no sidecar needs to hear of it.
    private static let cancelSQL = """
        WITH RECURSIVE root AS MATERIALIZED (
            SELECT id, status FROM envelopes WHERE id = $1 AND status NOT IN ('succeeded', 'failed') FOR NO KEY UPDATE
        ), \(FamilySQL.family(of: "SELECT id, status, 0 FROM root")), locked AS MATERIALIZED (
            SELECT id, CASE WHEN id = $1 THEN 'Envelope cancelled' ELSE 'Cancelled with ' || $1 END AS message
            FROM envelopes WHERE id IN (SELECT id FROM family) AND status NOT IN \(EnvelopeStatus.finalList)
            ORDER BY id FOR NO KEY UPDATE
        ), moved AS (
            UPDATE envelopes e SET
                status = 'cancelled', progress_percent = 100, message = l.message, result = NULL, next_attempt_at = NULL,
                updated_at = clock_timestamp()
            FROM locked l WHERE e.id = l.id
            RETURNING e.id, e.message, e.error, e.current_actor_name, e.not_before
        ), logged AS (
            INSERT INTO envelope_updates (envelope_id, status, message, error, progress_percent, actor)
            SELECT id, 'cancelled', message, error, 100, current_actor_name FROM moved ORDER BY id
        ), unsent AS (
            DELETE FROM outbox o USING moved m WHERE o.envelope_id = m.id
            RETURNING o.envelope_id, COALESCE(o.due_at = m.not_before, false) AS was_waiting
        ), noted AS (
            INSERT INTO cancellations (envelope_id)
            SELECT id FROM moved WHERE id NOT IN (SELECT envelope_id FROM unsent WHERE was_waiting)
            ON CONFLICT (envelope_id) DO UPDATE SET requested_at = now(), announced_at = NULL
        )
        SELECT count(*) FROM moved
        """

    // MARK: What sidecars are to be told

    func unannouncedCancellations(limit: Int) async throws(StoreError) -> [String] {
        try await query("SELECT envelope_id FROM cancellations WHERE announced_at IS NULL LIMIT $1", [.integer(limit)])
        {
            try $0.string(0)
        }
    }

    func markAnnounced(_ ids: [String]) async throws(StoreError) {
        try await execute("UPDATE cancellations SET announced_at = now() WHERE envelope_id = ANY($1)", [.texts(ids)])
    }

    func announceAgain(_ ids: Set<String>) async throws(StoreError) {
        try await execute(
            """
            INSERT INTO cancellations (envelope_id)
            SELECT id FROM envelopes WHERE id = ANY($1) AND status = 'cancelled' ORDER BY id
            ON CONFLICT (envelope_id) DO UPDATE SET announced_at = NULL
            WHERE cancellations.announced_at < now() - interval '5 seconds'
            """, [.texts(ids.map(\.withoutNUL))])
    }

    func forgetCancellations(of ids: Set<String>) async throws(StoreError) {
        try await execute("DELETE FROM cancellations WHERE envelope_id = ANY($1)", [.texts(ids.map(\.withoutNUL))])
    }

    func latestCancellations(limit: Int) async throws(StoreError) -> [String] {
        try await query(
            "SELECT envelope_id FROM cancellations ORDER BY requested_at DESC LIMIT $1", [.integer(limit)]
        ) { try $0.string(0) }
    }

    func forgetOldCancellations() async throws(StoreError) {
        try await execute(
            "DELETE FROM cancellations WHERE requested_at < now() - interval '60 days'")
    }
}
