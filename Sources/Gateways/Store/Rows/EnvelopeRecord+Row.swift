extension EnvelopeRecord {
    /// In the order in which `init(_:)` reads them.
    static let columns = """
        id, parent_id, status, route_actors, route_current, error, timeout_sec, deadline, created_at, updated_at, \
        progress_percent, current_actor_idx, current_actor_name, message, actors_completed, total_actors, attempt, next_attempt_at, not_before, \
        tool, principal
        """

    /// - Parameter row: `columns`, then `payload` and `result` if `withBodies`.
    init(_ row: some StoredRow, withBodies: Bool) throws {
        self.init(
            id: try row.string(0), parentID: try row.optionalString(1), tool: try row.optionalString(19),
            status: EnvelopeStatus(rawValue: try row.string(2)) ?? .unknown, actors: try row.strings(3),
            routeCurrent: try row.integer(4), error: try row.optionalString(5),
            timeoutSeconds: try row.optionalDouble(6), deadline: try row.optionalMicroseconds(7),
            notBefore: try row.optionalMicroseconds(18), createdAt: try row.microseconds(8),
            updatedAt: try row.microseconds(9), percent: try row.double(10), actorIndex: try row.integer(11),
            actorName: try row.optionalString(12), message: try row.string(13), actorsCompleted: try row.integer(14),
            totalActors: try row.integer(15), attempt: try row.optionalInteger(16),
            nextAttemptAt: try row.optionalMicroseconds(17), principal: try row.optionalString(20))
        guard withBodies else { return }
        payload = try row.optionalBytes(21)
        result = try row.optionalBytes(22)
    }
}
