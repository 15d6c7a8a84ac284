internal import Envelopes

extension ActorPause {
    /// Null where nobody has ever decided.
    static let columns = "name, paused_at IS NOT NULL, pause_decided_at"

    init(_ row: some StoredRow) throws {
        self.init(
            actor: try row.string(0), isPaused: try row.boolean(1), decidedAt: try row.optionalMicroseconds(2) ?? 0)
    }
}

extension KnownActor {
    static let columns = "name, first_seen, last_seen, paused_at, paused_by, pause_reason"

    init(_ row: some StoredRow) throws {
        self.init(name: try row.string(0), firstSeen: try row.microseconds(1), lastSeen: try row.microseconds(2))
        guard let since = try row.optionalMicroseconds(3) else { return }
        pause = Pause(since: since, by: try row.optionalString(4), reason: try row.optionalString(5))
    }
}
