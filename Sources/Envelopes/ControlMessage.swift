/// What gateways tell all sidecars.
public enum ControlMessage: Sendable, Hashable {
    /// These envelopes are cancelled: no handler gets them any more, and who works on one may stop.
    case cancel([String])
    /// These were, and are to be worked on again.
    case uncancel([String])

    /// - Throws: `ControlError` for what is no such message. One of a kind that is not known reads as `nil`: a newer
    ///   gateway may speak to us.
    public static func parsing(_ body: [UInt8]) throws(ControlError) -> ControlMessage? {
        let json = try RawJSON(control: body)
        let make: ([String]) -> ControlMessage
        switch json["type"]?.string {
        case "cancel": make = ControlMessage.cancel
        case "uncancel": make = ControlMessage.uncancel
        default: return nil
        }
        guard let ids = json["ids"], ids.kind == .array else { throw ControlError("'ids' must be a list") }
        return make(ids.elements.compactMap(\.string))
    }

    public func encoded() -> [UInt8] {
        let (type, ids) =
            switch self {
            case .cancel(let ids): ("cancel", ids)
            case .uncancel(let ids): ("uncancel", ids)
            }
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("type")
        writer.append(string: type)
        writer.name("ids")
        writer.append(strings: ids)
        writer.endObject()
        return writer.bytes
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

extension RawJSON {
    fileprivate init(control body: [UInt8]) throws(ControlError) {
        let json: RawJSON
        do { json = try RawJSON(body) } catch { throw ControlError(error.description) }
        guard json.kind == .object else { throw ControlError("must be an object, is \(json.kind)") }
        self = json
    }
}
