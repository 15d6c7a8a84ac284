extension EnvelopeUpdate {
    /// Of updates `u`, with the envelope's result where an update is the last one of an end.
    /// - Parameters: where the envelope's own columns stand.
    static func columns(finalResult: String, parentID: String) -> String {
        """
        u.id, u.status, u.message, u.progress_percent, u.actor, u.actors, u.current_actor_idx, u.envelope_state, u.attempt,
        u.next_attempt_at, u.error, u.timestamp,
        COALESCE(u.result, CASE WHEN u.status IN \(EnvelopeStatus.finalList) AND NOT EXISTS (
            SELECT 1 FROM envelope_updates l WHERE l.envelope_id = u.envelope_id AND l.id > u.id) THEN \(finalResult) END),
        u.partial_type, u.partial_call, u.reported_at, \(parentID)
        """
    }
    static let columnCount = 17

    /// - Parameter row: `columns`, from the second place on.
    init(_ row: some StoredRow, envelopeID: String) throws {
        self.init(
            id: Int64(try row.integer(1)), envelopeID: envelopeID, parentID: try row.optionalString(17),
            status: EnvelopeStatus(rawValue: try row.string(2)) ?? .unknown, message: try row.string(3),
            percent: try row.optionalDouble(4), actor: try row.optionalString(5), actors: try row.strings(6),
            actorIndex: try row.optionalInteger(7), phase: try row.optionalString(8),
            attempt: try row.optionalInteger(9),
            nextAttemptAt: try row.optionalMicroseconds(10), error: try row.optionalString(11),
            timestamp: try row.microseconds(12), reportedAt: try row.optionalMicroseconds(16),
            result: try row.optionalBytes(13), partial: try Partial(row))
    }
}

extension EnvelopeUpdate.Partial {
    /// `nil` for what is no partial result.
    fileprivate init?(_ row: some StoredRow) throws {
        guard let type = try row.optionalString(14) else { return nil }
        self.init(type: type, call: try row.optionalString(15))
    }
}
