internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func note(actors: Set<String>) async throws(StoreError) {
        try await write { writer in
            try writer.database.run(
                """
                INSERT INTO actors (name, first_seen, last_seen) SELECT value, ?1, ?1 FROM json_each(?2) WHERE true
                ON CONFLICT (name) DO UPDATE SET last_seen = ?1
                """, [.time(microseconds: writer.now), .texts(actors.sorted())])
        }
    }

    func actors() async throws(StoreError) -> [KnownActor] {
        try await read { database in
            try database.rows("SELECT \(KnownActor.columns) FROM actors ORDER BY name") { try KnownActor($0) }
        }
    }

    // MARK: Pauses

    func pause(_ actor: String, by caller: String?, reason: String?) async throws(StoreError) -> Bool {
        try await write { writer in
            try writer.database.run(
                """
                UPDATE actors SET paused_at = COALESCE(paused_at, ?2), paused_by = COALESCE(?3, paused_by),
                    pause_reason = COALESCE(?4, pause_reason), \(Self.decision)
                WHERE name = ?1
                """, [.text(actor), .time(microseconds: writer.now), .text(caller), .text(reason)])
        }
    }

    func resume(_ actor: String) async throws(StoreError) -> Bool {
        try await write { writer in
            try writer.database.run(
                """
                UPDATE actors SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, \(Self.decision) WHERE name = ?1
                """, [.text(actor), .time(microseconds: writer.now)])
        }
    }

    /// At time `?2`. Each decision on an actor has a later time than the one before, whatever clocks do.
    private static let decision =
        "pause_announced_at = NULL, pause_decided_at = max(?2, COALESCE(pause_decided_at + 1, 0))"

    func pausesToAnnounce(limit: Int) async throws(StoreError) -> [ActorPause] {
        let now = Timestamp.microsecondsNow()
        return try await read { database in
            try database.rows(
                """
                SELECT \(ActorPause.columns) FROM actors
                WHERE pause_announced_at IS NULL AND pause_decided_at IS NOT NULL
                   OR pause_announced_at < ?1 AND (paused_at IS NOT NULL OR pause_decided_at > ?2)
                ORDER BY pause_announced_at NULLS FIRST LIMIT ?3
                """,
                [
                    .time(microseconds: now.later(by: .seconds(-10))),
                    .time(microseconds: now.later(by: .seconds(-86_400))), .integer(limit),
                ]
            ) { try ActorPause($0) }
        }
    }

    func markAnnounced(_ pauses: [ActorPause]) async throws(StoreError) {
        try await write { writer in
            for pause in pauses {
                try writer.database.run(
                    "UPDATE actors SET pause_announced_at = ? WHERE name = ? AND pause_decided_at = ?",
                    [.time(microseconds: writer.now), .text(pause.actor), .time(microseconds: pause.decidedAt)])
            }
        }
    }

    func pauses(of actors: Set<String>) async throws(StoreError) -> [String: ActorPause] {
        try await read { database in
            let pauses = try database.rows(
                "SELECT \(ActorPause.columns) FROM actors WHERE name IN (SELECT value FROM json_each(?))",
                [.texts(actors)]
            ) { try ActorPause($0) }
            return Dictionary(uniqueKeysWithValues: pauses.map { ($0.actor, $0) })
        }
    }
}
