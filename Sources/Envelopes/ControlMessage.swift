/// What gateways tell all sidecars.
public enum ControlMessage: Sendable, Hashable {
    /// These envelopes are cancelled: no handler gets them any more, and who works on one may stop.
    case cancel([String])
    /// These were, and are to be worked on again.
    case uncancel([String])
    /// Which actors take deliveries and which do not: the state of each that is named, not a change of it.
    case pauses([ActorPause])
    /// How it stands with some faults, each as the room `Faults` writes it.
    case faults([RawJSON])

    /// - Throws: `ControlError` for what is no such message. One of a kind that is not known reads as `nil`: a newer
    ///   gateway may speak to us.
    public static func parsing(_ body: [UInt8]) throws(ControlError) -> ControlMessage? {
        let json = try RawJSON(control: body)
        switch json["type"]?.string {
        case "cancel": return .cancel(try json.list("ids").compactMap(\.string))
        case "uncancel": return .uncancel(try json.list("ids").compactMap(\.string))
        case "pauses":
            var pauses: [ActorPause] = []
            for actor in try json.list("actors") { pauses.append(try ActorPause(actor)) }
            return .pauses(pauses)
        case "faults": return .faults(try json.list("faults"))
        default: return nil
        }
    }

    public func encoded() -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("type")
        switch self {
        case .cancel(let ids): writer.append("cancel", ids: ids)
        case .uncancel(let ids): writer.append("uncancel", ids: ids)
        case .pauses(let pauses):
            writer.append(string: "pauses")
            writer.name("actors")
            writer.beginArray()
            for pause in pauses { pause.write(to: &writer) }
            writer.endArray()
        case .faults(let faults):
            writer.append(string: "faults")
            writer.name("faults")
            writer.append(RawJSON(array: faults))
        }
        writer.endObject()
        return writer.bytes
    }
}

/// Whether an actor takes deliveries.
public struct ActorPause: Sendable, Hashable {
    public var actor: String
    public var isPaused: Bool
    /// When somebody has last said so, in microseconds since 1970; of two that differ the later holds. 0: nobody ever has.
    public var decidedAt: Int64

    public init(actor: String, isPaused: Bool, decidedAt: Int64) {
        self.actor = actor
        self.isPaused = isPaused
        self.decidedAt = decidedAt
    }

    fileprivate init(_ json: RawJSON) throws(ControlError) {
        guard let actor = json["name"]?.string, let isPaused = json["paused"]?.boolean,
            let decidedAt = json["decided_at"]?.string.flatMap({ Timestamp.microseconds(parsing: $0) })
        else {
            throw ControlError("'actors' must hold objects with 'name', 'paused' and 'decided_at'")
        }
        self.init(actor: actor, isPaused: isPaused, decidedAt: decidedAt)
    }

    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("name")
        writer.append(string: actor)
        writer.name("paused")
        writer.append(isPaused)
        writer.name("decided_at")
        writer.append(string: Timestamp.text(microseconds: decidedAt))
        writer.endObject()
    }
}

/// A sidecar that has started asks gateways for what is in force. The answers, `ControlMessage`s, go to its inbox.
public struct ControlRequest: Sendable, Hashable {
    public var actor: String
    public var inbox: String

    public init(actor: String, inbox: String) {
        self.actor = actor
        self.inbox = inbox
    }

    public init(parsing body: [UInt8]) throws(ControlError) {
        let json = try RawJSON(control: body)
        guard let actor = json["actor"]?.string, let inbox = json["inbox"]?.string else {
            throw ControlError("'actor' and 'inbox' must be strings")
        }
        self.init(actor: actor, inbox: inbox)
    }

    public func encoded() -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("actor")
        writer.append(string: actor)
        writer.name("inbox")
        writer.append(string: inbox)
        writer.endObject()
        return writer.bytes
    }
}

/// Why a message between gateways and sidecars cannot be read.
public struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

extension JSONWriter {
    fileprivate mutating func append(_ type: String, ids: [String]) {
        append(string: type)
        name("ids")
        append(strings: ids)
    }
}

extension RawJSON {
    fileprivate func list(_ name: String) throws(ControlError) -> [RawJSON] {
        guard let list = self[name], list.kind == .array else { throw ControlError("'\(name)' must be a list") }
        return list.elements
    }

    fileprivate init(control body: [UInt8]) throws(ControlError) {
        let json: RawJSON
        do { json = try RawJSON(body) } catch { throw ControlError(error.description) }
        guard json.kind == .object else { throw ControlError("must be an object, is \(json.kind)") }
        self = json
    }
}
