internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func register(_ children: [FanOutChild]) async throws(StoreError) -> Int {
        guard !children.isEmpty else { return 0 }
        return try await write { writer in
            try children.reduce(0) { count, child in try count + (writer.register(child) ? 1 : 0) }
        }
    }
}

extension StoreWriter {
    /// - Returns: whether it was born cancelled.
    mutating func register(_ child: FanOutChild) throws -> Bool {
        let parent = try database.row(
            "SELECT timeout_sec, deadline, status FROM envelopes WHERE id = ?", [.text(child.parentID)]
        ) { row in
            (
                timeout: try row.optionalDouble(0), deadline: try row.optionalMicroseconds(1),
                isCancelled: try row.string(2) == EnvelopeStatus.cancelled.rawValue
            )
        }
        let isCancelled = parent?.isCancelled == true
        let status: EnvelopeStatus = isCancelled ? .cancelled : .pending
        let percent: Double = isCancelled ? 100 : 0
        let message = (isCancelled ? "Cancelled with " : "Created by fan-out of ") + child.parentID
        let isNew = try database.run(
            """
            INSERT INTO envelopes (
                id, parent_id, status, progress_percent, message, route_actors, route_current, current_actor_idx, current_actor_name,
                total_actors, actors_completed, timeout_sec, deadline, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)
            ON CONFLICT (id) DO NOTHING
            """,
            [
                .text(child.id), .text(child.parentID), .text(status.rawValue), .double(percent), .text(message),
                .texts(child.actors), .integer(child.actorIndex), .text(child.actorName),
                .integer(child.actors.count), .integer(min(child.actorIndex, child.actors.count)),
                .double(parent?.timeout), .time(microseconds: parent?.deadline), .time(microseconds: now),
            ])
        guard isNew else { return false }
        try log(
            Entry(
                envelopeID: child.id, status: status, message: message, percent: percent, actor: child.actorName,
                actors: child.actors, actorIndex: child.actorIndex))
        if isCancelled { try noteCancellation(of: child.id) }
        return isCancelled
    }
}

extension FanOutChild {
    fileprivate var actorName: String? { actors.indices.contains(actorIndex) ? actors[actorIndex] : nil }
}
