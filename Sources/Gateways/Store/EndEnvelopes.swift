extension EnvelopeStore {
    /// Ends the envelopes that a statement has locked as `locked (id, message)`, none of them final, without a report: what
    /// `EnvelopeStateMachine` makes of a final report that knows no more than status, message and error. Leaves `moved (id)` and
    /// `unsent (envelope_id, was_waiting)`, the messages that nobody will send any more.
    /// - Parameter error: SQL; `e.error` keeps what is there.
    static func ending(as status: EnvelopeStatus, error: String) -> String {
        """
        moved AS (
            UPDATE envelopes e SET
                status = '\(status.rawValue)', progress_percent = 100, message = l.message, error = \(error), result = NULL,
                next_attempt_at = NULL, updated_at = clock_timestamp()
            FROM locked l WHERE e.id = l.id
            RETURNING e.id, e.message, e.error, e.current_actor_name, e.not_before
        ), logged AS (
            INSERT INTO envelope_updates (envelope_id, status, message, error, progress_percent, actor)
            SELECT id, '\(status.rawValue)', message, error, 100, current_actor_name FROM moved ORDER BY id
        ), unsent AS (
            DELETE FROM outbox o USING moved m WHERE o.envelope_id = m.id
            RETURNING o.envelope_id, COALESCE(o.due_at = m.not_before, false) AS was_waiting
        )
        """
    }
}
