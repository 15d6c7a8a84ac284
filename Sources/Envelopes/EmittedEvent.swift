/// What a handler tells while it works: a token, a log line, a percentage.
public struct EmittedEvent: Sendable, Hashable {
    /// `token`, `log`, `progress`, or whatever handler and client agree on: 1 to 100 bytes.
    public var type: String
    public var data: RawJSON
    /// ISO 8601, UTC, microseconds.
    public var at: String

    public init(type: String, data: RawJSON, at: String = Timestamp.now()) {
        self.type = type
        self.data = data
        self.at = at
    }

    /// Reads `{"type", "data", "at"?}`. Missing data are `null`.
    /// - Parameter now: the time where it has none.
    /// - Returns: `nil` for what has no such type.
    public init?(_ json: RawJSON, now: String = Timestamp.now()) {
        let members = json.members
        func last(_ name: String) -> RawJSON? { members.last { $0.isNamed(name) }?.value }
        guard let type = last("type")?.string, Self.isType(type) else { return nil }
        self.init(type: type, data: last("data") ?? .null, at: last("at")?.string ?? now)
    }

    public static func isType(_ text: String) -> Bool { (1...100).contains(text.utf8.count) }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("type")
        writer.append(string: type)
        writer.name("data")
        writer.append(data)
        writer.name("at")
        writer.append(string: at)
        writer.endObject()
    }

    /// A sidecar that takes events binds its end of each connection to an abstract socket address that begins so: the
    /// runtime reads there that it may send some, and one that does not look is not disturbed.
    public static let peerNamePrefix = "troupe-events-1/"
}
