internal import PostgreSQL

/// A piece of an envelope's history.
struct UpdatePage: Sendable {
    /// In order, all with ids above the one that was asked for.
    var updates: [EnvelopeUpdate]
    /// Whether there may be more.
    var isFull: Bool
    /// Whether the envelope had ended when the page was read: then a page that isn't full is the last.
    var isFinal: Bool
}

extension EnvelopeStore {
    /// One statement, so one snapshot: an envelope that reads as ended has its final update in the same page or in an earlier one.
    /// - Returns: `nil` when there is no such envelope.
    /// - Parameter withPartials: whether what handlers tell while they work is wanted, too.
    func updates(
        of id: String, after last: Int64, limit: Int, withPartials: Bool = true
    ) async throws(PostgreSQLError) -> UpdatePage? {
        let rows = try await query(
            """
            SELECT e.status IN \(EnvelopeStatus.finalList), \(EnvelopeUpdate.columns)
            FROM envelopes e LEFT JOIN LATERAL (
                SELECT u.*, e.result AS final_result FROM envelope_updates u WHERE u.envelope_id = e.id AND u.id > $2
                    \(withPartials ? "" : "AND u.partial_type IS NULL") ORDER BY u.id LIMIT $3
            ) u ON true
            WHERE e.id = $1
            ORDER BY u.id
            """, [.text(id), .integer(Int(last)), .integer(limit)])
        guard let first = rows.first else { return nil }
        var updates: [EnvelopeUpdate] = []
        for row in rows where !row.isNull(1) {
            updates.append(try EnvelopeUpdate(row, envelopeID: id))
        }
        return UpdatePage(updates: updates, isFull: updates.count == limit, isFinal: try first.boolean(0))
    }
}

extension EnvelopeUpdate {
    /// Of a table `u` that has the envelope's result as `final_result`, beside an update's own columns.
    static let columns = """
        u.id, u.status, u.message, u.progress_percent, u.actor, u.actors, u.current_actor_idx, u.envelope_state, u.attempt,
        u.next_attempt_at, u.error, u.timestamp,
        COALESCE(u.result, CASE WHEN u.status IN \(EnvelopeStatus.finalList) AND NOT EXISTS (
            SELECT FROM envelope_updates l WHERE l.envelope_id = u.envelope_id AND l.id > u.id) THEN u.final_result END),
        u.partial_type, u.partial_call, u.reported_at
        """
    static let columnCount = 16

    /// - Parameter row: `columns`, from the second place on.
    init(_ row: Row, envelopeID: String) throws(PostgreSQLError) {
        self.init(
            id: Int64(try row.integer(1)), envelopeID: envelopeID,
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
    fileprivate init?(_ row: Row) throws(PostgreSQLError) {
        guard let type = try row.optionalString(14) else { return nil }
        self.init(type: type, call: try row.optionalString(15))
    }
}
