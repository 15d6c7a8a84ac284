internal import Envelopes

extension EnvelopeSteps.Update {
    static let columns =
        """
        envelope_state, status, actor, current_actor_idx, attempt, error, COALESCE(reported_at, timestamp),
        CASE WHEN partial_type IS NOT NULL THEN result END AS fault
        """

    /// What actors have reported, and what was done to them on purpose.
    static let condition = "(partial_type IS NULL OR partial_type = 'fault')"

    init(_ row: some StoredRow) throws {
        self.init(
            phase: try row.optionalString(0), status: EnvelopeStatus(rawValue: try row.string(1)) ?? .unknown,
            actor: try row.optionalString(2), actorIndex: try row.optionalInteger(3),
            attempt: try row.optionalInteger(4), error: try row.optionalString(5), time: try row.microseconds(6),
            fault: try row.optionalBytes(7).map { RawJSON(stored: $0) })
    }
}
