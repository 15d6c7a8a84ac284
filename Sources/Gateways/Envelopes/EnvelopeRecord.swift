internal import Envelopes

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
