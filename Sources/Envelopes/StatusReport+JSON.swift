extension StatusReport {
    /// The report as the body of the gateway's endpoints, with `kind`, `event_id` and `id` for the broker's
    /// queue.
    public func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 256 + (result?.bytes.count ?? 0) + (errorDetails?.bytes.count ?? 0))
        writer.beginObject()
        func member(_ name: String, _ text: String?) {
            guard let text else { return }
            writer.name(name)
            writer.append(string: text)
        }
        func member(_ name: String, _ json: RawJSON?) {
            guard let json else { return }
            writer.name(name)
            writer.append(json)
        }
        member("kind", kind.rawValue)
        member("event_id", eventID)
        member("id", envelopeID)
        member("parent_id", parentID)
        member("status", status)
        writer.name("actors")
        writer.append(strings: actors)
        writer.name("current_actor_idx")
        writer.append(currentActorIndex)
        member("current_actor_name", currentActorName)
        for (name, count) in [("replays", replays), ("loops", loops)] where count > 0 {
            writer.name(name)
            writer.append(count)
        }
        member("message", message)
        if let attempt {
            writer.name("attempt")
            writer.append(attempt)
        }
        member("next_attempt_at", nextAttemptAt)
        if let durationMilliseconds {
            writer.name("duration_ms")
            writer.append(durationMilliseconds)
        }
        if let messageSizeKilobytes {
            writer.name("message_size_kb")
            writer.append(messageSizeKilobytes)
        }
        member("result", result)
        member("error", error)
        member("error_details", errorDetails)
        member("failed_message", failedMessage)
        member("timestamp", timestamp)
        writer.endObject()
        return writer.bytes
    }

    /// Reads what `encoded()` wrote, or the body of `POST .../progress` and `.../final`, which have no `kind`: give it
    /// then.
    /// - Throws: `StatusReportError` with the member that is missing or wrong.
    public init(
        parsing body: [UInt8], kind: Kind? = nil, envelopeID: String? = nil, limits: JSONLimits = .standard
    ) throws(StatusReportError) {
        let json: RawJSON
        do { json = try RawJSON(body, limits: limits) } catch { throw StatusReportError(error.description) }
        guard json.kind == .object else {
            throw StatusReportError("a status report must be an object, is \(json.kind)")
        }
        var members: [String: RawJSON] = [:]
        for member in json.members where member.value.kind != .null { members[member.name ?? ""] = member.value }

        func text(_ name: String) throws(StatusReportError) -> String? {
            guard let value = members[name] else { return nil }
            guard let text = value.string else {
                throw StatusReportError("'\(name)' must be a string, is \(value.excerpt)")
            }
            return text
        }
        func number(_ name: String) throws(StatusReportError) -> Double? {
            guard let value = members[name] else { return nil }
            guard let number = value.double, number.isFinite else {
                throw StatusReportError("'\(name)' must be a number, is \(value.excerpt)")
            }
            return number
        }
        func whole(_ name: String, _ round: (Double) -> Double) throws(StatusReportError) -> Int? {
            guard let number = try number(name) else { return nil }
            guard let whole = Int(exactly: round(number)) else {
                throw StatusReportError("'\(name)' must be a whole number, is \(members[name]?.excerpt ?? "none")")
            }
            return whole
        }
        func required<Value>(_ name: String, _ value: Value?) throws(StatusReportError) -> Value {
            guard let value else { throw StatusReportError("missing '\(name)'") }
            return value
        }

        if let kind {
            self.kind = kind
        } else {
            let name = try required("kind", text("kind"))
            guard let kind = Kind(rawValue: name) else { throw StatusReportError("unknown kind '\(name)'") }
            self.kind = kind
        }
        self.envelopeID = if let envelopeID { envelopeID } else { try required("id", text("id")) }
        eventID = try text("event_id") ?? ""
        parentID = try text("parent_id")
        status = try required("status", text("status"))
        actors = []
        if let list = members["actors"] {
            guard list.kind == .array else { throw StatusReportError("'actors' must be a list, is \(list.kind)") }
            for element in list.elements {
                guard let name = element.string else { throw StatusReportError("'actors' must hold strings") }
                actors.append(name)
            }
        }
        currentActorIndex = try whole("current_actor_idx") { $0 } ?? 0
        currentActorName = try text("current_actor_name")
        replays = try whole("replays") { $0 } ?? 0
        loops = try whole("loops") { $0 } ?? 0
        message = try text("message")
        attempt = try number("attempt").flatMap { Int(exactly: $0) }
        nextAttemptAt = try text("next_attempt_at")
        durationMilliseconds = try whole("duration_ms") { $0.rounded() }
        messageSizeKilobytes = try number("message_size_kb")
        result = members["result"]
        error = try text("error")
        failedMessage = members["failed_message"].flatMap { $0.kind == .object ? $0 : nil }
        errorDetails = members["error_details"]
        timestamp = try text("timestamp") ?? Timestamp.now()
    }
}

/// Why a message is no status report.
public struct StatusReportError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
