/// One piece of work on its way: an id, the route it takes, headers, and a payload that nobody on the way decodes.
///
/// `payload`, `headers` and members that Troupe does not know keep their bytes.
public struct Envelope: Sendable, Hashable {
    public var id: String
    /// The envelope that fanned this one out.
    public var parentID: String?
    public var route: Route
    public var headers: Headers
    public var payload: RawJSON
    /// Top-level members that Troupe does not know. They travel on.
    public var unknown: [RawJSON.Member]

    public init(
        id: String, parentID: String? = nil, route: Route, headers: Headers = Headers(), payload: RawJSON,
        unknown: [RawJSON.Member] = []
    ) {
        self.id = id
        self.parentID = parentID
        self.route = route
        self.headers = headers
        self.payload = payload
        self.unknown = unknown
    }

    /// Reads a message.
    /// - Throws: `EnvelopeError`, `.notJSON` with the position where the text breaks JSON's grammar, any other code
    ///   where it is valid JSON but no envelope.
    public init(parsing message: [UInt8], limits: JSONLimits = .standard) throws(EnvelopeError) {
        let isObject = RawJSON.firstCharacter(of: message) == UInt8(ascii: "{")
        let members: [RawJSON.Member]?
        do throws(JSONError) {
            members = isObject ? try RawJSON.members(ofObject: message[...], limits: limits) : nil
            if !isObject { _ = try RawJSON(message, limits: limits) }
        } catch { throw EnvelopeError(.notJSON(error), error.description) }
        guard let members else { throw EnvelopeError(.notAnObject, "An envelope must be a JSON object") }
        try self.init(members)
    }

    public init(_ json: RawJSON) throws(EnvelopeError) {
        guard json.kind == .object else { throw EnvelopeError(.notAnObject, "An envelope must be a JSON object") }
        try self.init(json.members)
    }

    private init(_ list: [RawJSON.Member]) throws(EnvelopeError) {
        var members = Members()
        for member in list { try members.take(member) }

        guard let id = members.id else { throw EnvelopeError(.missingID, "Envelope missing required 'id' field") }
        guard let id = id.string, !id.isEmpty else {
            throw EnvelopeError(.invalidID, "Field 'id' must be a non-empty string, is \(id.excerpt)")
        }
        self.id = id
        if let parent = members.parentID, parent.kind != .null {
            guard let parent = parent.string else {
                throw EnvelopeError(.invalidID, "Field 'parent_id' must be a string, is \(parent.excerpt)")
            }
            parentID = parent
        }
        guard let route = members.route else {
            throw EnvelopeError(.invalidRoute, "Missing required field 'route' in envelope")
        }
        self.route = try Route(route)
        guard let payload = members.payload else {
            throw EnvelopeError(.missingPayload, "Missing required field 'payload' in envelope")
        }
        self.payload = payload
        headers = try Headers(members.headers ?? .null)
        unknown = members.unknown
    }

    /// When its result is of no use any more, in microseconds since 1970; `nil` where that is not said, or not as ISO 8601.
    public var deadline: Int64? { deadlineText.flatMap(Timestamp.microseconds) }

    /// As it stands in the envelope.
    public var deadlineText: String? { unknown.last { $0.isNamed("deadline") }?.value.string }

    /// The message, ready to send.
    public func encoded() -> [UInt8] {
        let size =
            payload.bytes.count + headers.byteCount
            + unknown.reduce(0) { $0 + $1.rawName.count + $1.value.bytes.count + 2 }
        var writer = JSONWriter(capacity: size + 96 + id.utf8.count + route.actors.reduce(0) { $0 + $1.utf8.count + 3 })
        writer.beginObject()
        writer.name("id")
        writer.append(string: id)
        if let parentID {
            writer.name("parent_id")
            writer.append(string: parentID)
        }
        writer.name("route")
        route.write(to: &writer)
        if !headers.isAbsent {
            writer.name("headers")
            headers.write(to: &writer)
        }
        writer.name("payload")
        writer.append(payload)
        for member in unknown { writer.append(member) }
        writer.endObject()
        return writer.bytes
    }

    /// The top-level members by name. One that Troupe knows may stand once: which of two payloads was meant, nobody can
    /// say.
    private struct Members {
        var id: RawJSON?
        var parentID: RawJSON?
        var route: RawJSON?
        var headers: RawJSON?
        var payload: RawJSON?
        var unknown: [RawJSON.Member] = []

        mutating func take(_ member: RawJSON.Member) throws(EnvelopeError) {
            if member.isNamed("id") {
                try Self.put(member, into: &id)
            } else if member.isNamed("payload") {
                try Self.put(member, into: &payload)
            } else if member.isNamed("route") {
                try Self.put(member, into: &route)
            } else if member.isNamed("headers") {
                try Self.put(member, into: &headers)
            } else if member.isNamed("parent_id") {
                try Self.put(member, into: &parentID)
            } else {
                unknown.append(member)
            }
        }

        private static func put(_ member: RawJSON.Member, into place: inout RawJSON?) throws(EnvelopeError) {
            guard place == nil else { throw .duplicate(member.name ?? "") }
            place = member.value
        }
    }
}

/// Why a message is no envelope.
public struct EnvelopeError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        case notJSON(JSONError)
        case notAnObject
        case missingID, invalidID
        case invalidRoute
        case invalidHeaders
        case missingPayload
        case duplicateMember
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func duplicate(_ name: String) -> EnvelopeError {
        EnvelopeError(.duplicateMember, "Field '\(name)' stands twice in the envelope")
    }

    public var description: String { message }
}
