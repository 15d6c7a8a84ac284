internal import Envelopes
internal import PostgreSQL

/// What is known of an envelope.
struct EnvelopeRecord: Sendable {
    var id: String
    var parentID: String?
    /// The tool by which it was submitted.
    var tool: String?
    var status: EnvelopeStatus
    var actors: [String]
    var routeCurrent: Int
    var error: String?
    var timeoutSeconds: Double?
    /// Microseconds since 1970, as all times here.
    var deadline: Int64?
    var notBefore: Int64?
    var createdAt: Int64
    var updatedAt: Int64
    var percent: Double
    var actorIndex: Int
    var actorName: String?
    var message: String
    var actorsCompleted: Int
    var totalActors: Int
    /// From 1; `nil` where no actor has said.
    var attempt: Int?
    var nextAttemptAt: Int64?
    /// Who has submitted it; `nil` where nobody was asked.
    var principal: String?
    /// Absent in lists.
    var payload: [UInt8]?
    var result: [UInt8]?

    /// In the order in which `init(_:)` reads them.
    static let columns = """
        id, parent_id, status, route_actors, route_current, error, timeout_sec, deadline, created_at, updated_at, \
        progress_percent, current_actor_idx, current_actor_name, message, actors_completed, total_actors, attempt, next_attempt_at, not_before, \
        tool, principal
        """

    /// - Parameter row: `columns`, then `payload` and `result` if `withBodies`.
    init(_ row: Row, withBodies: Bool) throws(PostgreSQLError) {
        id = try row.string(0)
        parentID = try row.optionalString(1)
        status = EnvelopeStatus(rawValue: try row.string(2)) ?? .unknown
        actors = try row.strings(3)
        routeCurrent = try row.integer(4)
        error = try row.optionalString(5)
        timeoutSeconds = try row.optionalDouble(6)
        deadline = try row.optionalMicroseconds(7)
        createdAt = try row.microseconds(8)
        updatedAt = try row.microseconds(9)
        percent = try row.double(10)
        actorIndex = try row.integer(11)
        actorName = try row.optionalString(12)
        message = try row.string(13)
        actorsCompleted = try row.integer(14)
        totalActors = try row.integer(15)
        attempt = try row.optionalInteger(16)
        nextAttemptAt = try row.optionalMicroseconds(17)
        notBefore = try row.optionalMicroseconds(18)
        tool = try row.optionalString(19)
        principal = try row.optionalString(20)
        if withBodies {
            payload = try row.optionalBytes(21)
            result = try row.optionalBytes(22)
        }
    }

    /// - Parameter withBodies: adds `payload` and `result`.
    func write(to writer: inout JSONWriter, withBodies: Bool) {
        writer.beginObject()
        writeMembers(to: &writer, withBodies: withBodies)
        writer.endObject()
    }

    func writeMembers(to writer: inout JSONWriter, withBodies: Bool) {
        writer.member("id", id)
        writer.member("parent_id", parentID)
        writer.member("tool", tool)
        writer.member("status", status.rawValue)
        writer.name("route")
        Route(actors: actors, current: routeCurrent).write(to: &writer)
        if withBodies {
            writer.member("payload", stored: payload)
            writer.member("result", stored: result)
        }
        writer.member("error", error)
        writer.member("timeout_seconds", number: timeoutSeconds)
        writer.member("deadline", time: deadline)
        writer.member("not_before", time: notBefore)
        writer.member("progress_percent", number: percent)
        writer.member("current_actor_idx", number: Double(actorIndex))
        writer.member("current_actor_name", actorName)
        writer.member("attempt", number: attempt.map(Double.init))
        writer.member("next_attempt_at", time: nextAttemptAt)
        writer.member("message", message)
        writer.member("actors_completed", number: Double(actorsCompleted))
        writer.member("total_actors", number: Double(totalActors))
        writer.member("created_at", time: createdAt)
        writer.member("updated_at", time: updatedAt)
    }
}
