internal import Envelopes
internal import PostgreSQL

/// An actor that gateways have heard of.
struct KnownActor: Sendable, Hashable {
    var name: String
    /// Microseconds since 1970, as all times here.
    var firstSeen: Int64
    /// When one of its sidecars has started, or a dead letter of its came.
    var lastSeen: Int64
    /// `nil` while it takes deliveries.
    var pause: Pause?

    struct Pause: Sendable, Hashable {
        var since: Int64
        /// `nil` where nobody needs to say who he is.
        var by: String?
        var reason: String?
    }

    /// In the order in which `init(_:)` reads them.
    static let columns = "name, first_seen, last_seen, paused_at, paused_by, pause_reason"

    init(_ row: Row) throws(PostgreSQLError) {
        name = try row.string(0)
        firstSeen = try row.microseconds(1)
        lastSeen = try row.microseconds(2)
        guard let since = try row.optionalMicroseconds(3) else { return }
        pause = Pause(since: since, by: try row.optionalString(4), reason: try row.optionalString(5))
    }
}

extension EnvelopeStore {
    /// Notes that there are such actors: nobody else can tell, since the broker's protocol lists no queues.
    func note(actors: Set<String>) async throws(PostgreSQLError) {
        _ = try await query(
            """
            INSERT INTO actors (name) SELECT unnest($1::text[])
            ON CONFLICT (name) DO UPDATE SET last_seen = now()
            """, [.texts(actors.sorted())])
    }

    /// All that we have heard of, by name.
    func actors() async throws(PostgreSQLError) -> [KnownActor] {
        try await query("SELECT \(KnownActor.columns) FROM actors ORDER BY name", []).map {
            (row) throws(PostgreSQLError) in
            try KnownActor(row)
        }
    }

    /// Those that may have dead letters: all that we have heard of.
    func actorsWithDeadLetters() async throws(PostgreSQLError) -> [String] { try await actors().map(\.name) }

    // MARK: Pauses

    /// From now on no sidecar is to take deliveries of the actor. One that is paused stays so since when it was; whoever gives a reason
    /// replaces the one before.
    /// - Returns: whether there is such an actor.
    func pause(_ actor: String, by caller: String?, reason: String?) async throws(PostgreSQLError) -> Bool {
        try await decide(
            "paused_at = COALESCE(paused_at, now()), paused_by = COALESCE($2, paused_by), pause_reason = COALESCE($3, pause_reason)",
            [.text(actor.withoutNUL), .text(caller), .text(reason?.withoutNUL)])
    }

    /// Sidecars are told, also where the actor was not paused: one may not have heard of it.
    /// - Returns: whether there is such an actor.
    func resume(_ actor: String) async throws(PostgreSQLError) -> Bool {
        try await decide("paused_at = NULL, paused_by = NULL, pause_reason = NULL", [.text(actor.withoutNUL)])
    }

    /// Each decision on an actor has a later time than the one before, whatever clocks do.
    private func decide(_ changes: String, _ parameters: [Parameter]) async throws(PostgreSQLError) -> Bool {
        try await !query(
            """
            UPDATE actors SET \(changes), pause_announced_at = NULL,
                pause_decided_at = GREATEST(clock_timestamp(), pause_decided_at + interval '1 microsecond')
            WHERE name = $1 RETURNING name
            """, parameters
        ).isEmpty
    }

    /// What sidecars are to be told, or told again: a pause for as long as it lasts, its end for a day, in which whoever missed it must
    /// have come back.
    func pausesToAnnounce(limit: Int) async throws(PostgreSQLError) -> [ActorPause] {
        try await query(
            """
            SELECT name, paused_at IS NOT NULL, pause_decided_at FROM actors
            WHERE pause_announced_at IS NULL AND pause_decided_at IS NOT NULL
               OR pause_announced_at < now() - interval '10 seconds'
                  AND (paused_at IS NOT NULL OR pause_decided_at > now() - interval '1 day')
            ORDER BY pause_announced_at NULLS FIRST LIMIT $1
            """, [.integer(limit)]
        ).map { (row) throws(PostgreSQLError) in
            ActorPause(actor: try row.string(0), isPaused: try row.boolean(1), decidedAt: try row.microseconds(2))
        }
    }

    /// What was decided anew meanwhile is still to be told.
    func markAnnounced(_ pauses: [ActorPause]) async throws(PostgreSQLError) {
        _ = try await query(
            """
            UPDATE actors a SET pause_announced_at = now()
            FROM unnest($1::text[], $2::timestamptz[]) AS told (name, decided_at)
            WHERE a.name = told.name AND a.pause_decided_at = told.decided_at
            """, [.texts(pauses.map(\.actor)), .times(microseconds: pauses.map(\.decidedAt))])
    }

    /// How it stands with each of these actors, also where nobody has ever paused it.
    func pauses(of actors: Set<String>) async throws(PostgreSQLError) -> [String: ActorPause] {
        let rows = try await query(
            "SELECT name, paused_at IS NOT NULL, pause_decided_at FROM actors WHERE name = ANY($1)",
            [.texts(actors.sorted())])
        var pauses: [String: ActorPause] = [:]
        for row in rows {
            let name = try row.string(0)
            pauses[name] = ActorPause(
                actor: name, isPaused: try row.boolean(1), decidedAt: try row.optionalMicroseconds(2) ?? 0)
        }
        return pauses
    }
}
