internal import Envelopes
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func note(actors: Set<String>) async throws(StoreError) {
        try await execute(
            """
            INSERT INTO actors (name) SELECT unnest($1::text[])
            ON CONFLICT (name) DO UPDATE SET last_seen = now()
            """, [.texts(actors.sorted())])
    }

    func actors() async throws(StoreError) -> [KnownActor] {
        try await query("SELECT \(KnownActor.columns) FROM actors ORDER BY name") { try KnownActor($0) }
    }

    // MARK: Pauses

    func pause(_ actor: String, by caller: String?, reason: String?) async throws(StoreError) -> Bool {
        try await decide(
            "paused_at = COALESCE(paused_at, now()), paused_by = COALESCE($2, paused_by), pause_reason = COALESCE($3, pause_reason)",
            [.text(actor.withoutNUL), .text(caller), .text(reason?.withoutNUL)])
    }

    func resume(_ actor: String) async throws(StoreError) -> Bool {
        try await decide("paused_at = NULL, paused_by = NULL, pause_reason = NULL", [.text(actor.withoutNUL)])
    }

    /// Each decision on an actor has a later time than the one before, whatever clocks do.
    private func decide(_ changes: String, _ parameters: [Parameter]) async throws(StoreError) -> Bool {
        try await !query(
            """
            UPDATE actors SET \(changes), pause_announced_at = NULL,
                pause_decided_at = GREATEST(clock_timestamp(), pause_decided_at + interval '1 microsecond')
            WHERE name = $1 RETURNING name
            """, parameters
        ) { try $0.string(0) }.isEmpty
    }

    func pausesToAnnounce(limit: Int) async throws(StoreError) -> [ActorPause] {
        try await query(
            """
            SELECT \(ActorPause.columns) FROM actors
            WHERE pause_announced_at IS NULL AND pause_decided_at IS NOT NULL
               OR pause_announced_at < now() - interval '10 seconds'
                  AND (paused_at IS NOT NULL OR pause_decided_at > now() - interval '1 day')
            ORDER BY pause_announced_at NULLS FIRST LIMIT $1
            """, [.integer(limit)]
        ) { try ActorPause($0) }
    }

    func markAnnounced(_ pauses: [ActorPause]) async throws(StoreError) {
        try await execute(
            """
            UPDATE actors a SET pause_announced_at = now()
            FROM unnest($1::text[], $2::timestamptz[]) AS told (name, decided_at)
            WHERE a.name = told.name AND a.pause_decided_at = told.decided_at
            """, [.texts(pauses.map(\.actor)), .times(microseconds: pauses.map(\.decidedAt))])
    }

    func pauses(of actors: Set<String>) async throws(StoreError) -> [String: ActorPause] {
        let pauses = try await query(
            "SELECT \(ActorPause.columns) FROM actors WHERE name = ANY($1)",
            [.texts(actors.sorted())]
        ) { try ActorPause($0) }
        return Dictionary(uniqueKeysWithValues: pauses.map { ($0.actor, $0) })
    }
}
