internal import Envelopes

/// One entry of an envelope's history: an event of its stream.
struct EnvelopeUpdate: Sendable {
    /// Grows in the order of commits for one envelope.
    var id: Int64
    var envelopeID: String
    /// The envelope that it came out of by fan-out.
    var parentID: String?
    var status: EnvelopeStatus
    var message: String
    var percent: Double?
    var actor: String?
    var actors: [String]
    var actorIndex: Int?
    var phase: String?
    var attempt: Int?
    var nextAttemptAt: Int64?
    var error: String?
    /// When it was written, microseconds since 1970.
    var timestamp: Int64
    /// When it happened, as far as somebody has said.
    var reportedAt: Int64?
    var result: [UInt8]?
    /// Where a handler has told something while it works: `result` is what.
    var partial: Partial?

    struct Partial: Sendable, Hashable {
        var type: String
        /// Names the handler's call.
        var call: String?
    }

    /// One line of JSON: no member holds a raw line feed, as JSON escapes them in strings, and stored results lose theirs here.
    var json: [UInt8] {
        var writer = JSONWriter(capacity: 256 + (result?.count ?? 0))
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
        return writer.bytes
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("id", envelopeID)
        writer.member("parent_id", parentID)
        if let partial { write(partial, to: &writer) } else { writeState(to: &writer) }
        writer.member("timestamp", time: timestamp)
        writer.member("reported_at", time: reportedAt)
    }

    private func write(_ partial: Partial, to writer: inout JSONWriter) {
        writer.member("actor", actor)
        writer.member("attempt", number: attempt.map(Double.init))
        writer.member("call", partial.call)
        writer.member("type", partial.type)
        writer.member("data", stored: result?.map(ServerSentEvent.withoutLineEnd))
    }

    private func writeState(to writer: inout JSONWriter) {
        writer.member("status", status.rawValue)
        writer.member("message", message)
        writer.member("progress_percent", number: percent)
        writer.member("actor", actor)
        if !actors.isEmpty {
            writer.name("actors")
            writer.append(strings: actors)
        }
        writer.member("current_actor_idx", number: actorIndex.map(Double.init))
        writer.member("envelope_state", phase)
        writer.member("attempt", number: attempt.map(Double.init))
        writer.member("next_attempt_at", time: nextAttemptAt)
        if let result { writer.member("result", stored: result.map(ServerSentEvent.withoutLineEnd)) }
        writer.member("error", error)
    }
}
