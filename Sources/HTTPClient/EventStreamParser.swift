/// Reads server-sent events (WHATWG HTML, section 9.2) as their bytes come. Pure.
public struct EventStreamParser: Sendable {
    public struct Event: Sendable, Hashable {
        /// `message` where the server gives none.
        public var name: String
        public var data: String
        /// The last one that the server has given, with this event or before; empty while there is none.
        public var id: String

        public init(name: String = "message", data: String, id: String = "") {
            self.name = name
            self.data = data
            self.id = id
        }
    }

    /// What to send as `Last-Event-ID` to go on behind all that was read; empty while there is none.
    public private(set) var lastEventID: String

    private let limit: Int
    /// Of the line that has not ended.
    private var line: [UInt8] = []
    /// The line before has ended in a carriage return, which a line feed may complete.
    private var endedInReturn = false
    private var isFirstLine = true
    private var name = ""
    private var data: [UInt8] = []
    private var hasData = false
    private var id: String?

    /// - Parameters:
    ///   - lastEventID: where an earlier stream has ended.
    ///   - limit: bytes of an event.
    public init(after lastEventID: String = "", limit: Int = 64 << 20) {
        self.lastEventID = lastEventID
        self.limit = limit
    }

    /// - Returns: the events that these bytes complete.
    /// - Throws: `tooLarge`.
    public mutating func parse(_ bytes: some Sequence<UInt8>) throws(HTTPError) -> [Event] {
        var events: [Event] = []
        for byte in bytes {
            let completesReturn = endedInReturn && byte == UInt8(ascii: "\n")
            endedInReturn = byte == UInt8(ascii: "\r")
            if completesReturn { continue }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                if let event = endLine() { events.append(event) }
            } else {
                guard line.count + data.count < limit else {
                    throw HTTPError(.tooLarge, "an event is longer than \(limit) bytes")
                }
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> Event? {
        var content = line[...]
        if isFirstLine, content.starts(with: [0xEF, 0xBB, 0xBF]) { content = content.dropFirst(3) }
        isFirstLine = false
        defer { line.removeAll(keepingCapacity: true) }
        if content.isEmpty { return endEvent() }
        let colon = content.firstIndex(of: UInt8(ascii: ":")) ?? content.endIndex
        var value = content[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: content[..<colon], as: UTF8.self) {
        case "event": name = String(decoding: value, as: UTF8.self)
        case "data":
            if hasData { data.append(UInt8(ascii: "\n")) }
            hasData = true
            data += value
        case "id" where !value.contains(0): id = String(decoding: value, as: UTF8.self)
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> Event? {
        if let id { lastEventID = id }
        defer {
            name = ""
            data.removeAll(keepingCapacity: true)
            hasData = false
            id = nil
        }
        guard hasData else { return nil }
        return Event(
            name: name.isEmpty ? "message" : name, data: String(decoding: data, as: UTF8.self), id: lastEventID)
    }
}
