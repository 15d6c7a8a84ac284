internal import EventLoops
internal import PostgreSQL

/// A message on its way to the broker.
struct OutboxMessage: Sendable {
    var rowID: Int64
    var envelopeID: String
    var actor: String
    var body: [UInt8]
    /// Tries that have failed.
    var attempts: Int
}

extension EnvelopeStore {
    /// Takes messages whose time has come, for `lease`: after that they are due again, whatever happens to the taker. Gateways
    /// skip what another one is just taking. What an actor has reported on has arrived, and is deleted instead.
    func takeDueMessages(limit: Int, lease: Duration) async throws(PostgreSQLError) -> [OutboxMessage] {
        try await query(
            """
            WITH due AS MATERIALIZED (
                SELECT id, envelope_id FROM outbox WHERE due_at <= now() ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
            ), arrived AS (
                DELETE FROM outbox o USING due, envelopes e
                WHERE o.id = due.id AND e.id = due.envelope_id AND e.status NOT IN ('pending', 'unknown')
            )
            UPDATE outbox o SET due_at = now() + $2 * interval '1 millisecond'
            FROM due, envelopes e
            WHERE o.id = due.id AND e.id = due.envelope_id AND e.status IN ('pending', 'unknown')
            RETURNING o.id, o.envelope_id, o.actor, o.attempts, o.head || e.payload::text || '}'
            """, [.integer(limit), .double(Double(lease.nanosecondsClamped / 1_000_000))]
        ).map { (row) throws(PostgreSQLError) in
            OutboxMessage(
                rowID: Int64(try row.integer(0)), envelopeID: try row.string(1), actor: try row.string(2),
                body: try row.bytes(4), attempts: try row.integer(3))
        }
    }

    /// The broker has them.
    func deleteMessages(_ rowIDs: [Int64]) async throws(PostgreSQLError) {
        _ = try await query("DELETE FROM outbox WHERE id = ANY($1)", [.integers(rowIDs.map(Int.init))])
    }

    /// A try has failed: the next one comes after `delay`.
    func postponeMessage(_ rowID: Int64, by delay: Duration) async throws(PostgreSQLError) {
        _ = try await query(
            "UPDATE outbox SET attempts = attempts + 1, due_at = now() + $2 * interval '1 millisecond' WHERE id = $1",
            [.integer(Int(rowID)), .double(Double(delay.nanosecondsClamped / 1_000_000))])
    }

    func outboxLength() async throws(PostgreSQLError) -> Int {
        try await query("SELECT count(*) FROM outbox", [])[0].integer(0)
    }
}
