internal import PostgreSQL

extension EnvelopeStore {
    /// Notes that there are such actors: nobody else can tell, since the broker's protocol lists no queues.
    func note(actors: Set<String>) async throws(PostgreSQLError) {
        _ = try await query(
            """
            INSERT INTO actors (name) SELECT unnest($1::text[])
            ON CONFLICT (name) DO UPDATE SET last_seen = now()
            """, [.texts(actors.sorted())])
    }

    /// Those that may have dead letters: all that we have heard of.
    func actorsWithDeadLetters() async throws(PostgreSQLError) -> [String] {
        try await query("SELECT name FROM actors ORDER BY name", []).map { (row) throws(PostgreSQLError) in
            try row.string(0)
        }
    }
}
