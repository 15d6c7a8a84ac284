internal import Envelopes

/// The place in a list where the next page begins. Opaque to clients.
enum Cursor {
    static func text(_ parts: [String]) -> String {
        Base64URL.encode(RawJSON { $0.append(strings: parts) }.bytes)
    }

    /// - Returns: `nil` for a cursor that isn't ours.
    static func parts(_ text: String, count: Int) -> [String]? {
        guard let bytes = Base64URL.decode(text[...]), let json = try? RawJSON(bytes) else { return nil }
        let parts = json.elements.compactMap(\.string)
        return parts.count == count ? parts : nil
    }

    /// - Returns: `nil` where a list begins.
    /// - Throws: for a cursor that isn't ours.
    static func parts(_ params: RawJSON, count: Int) throws(JSONRPCError) -> [String]? {
        guard let cursor = params["cursor"], cursor.kind != .null else { return nil }
        guard let parts = cursor.string.flatMap({ Self.parts($0, count: count) }) else { throw unknown }
        return parts
    }

    /// A page of a list that is here as a whole.
    /// - Parameter key: what tells an element from all others.
    static func page<Element>(
        of list: [Element], _ params: RawJSON, size: Int, key: (Element) -> String
    ) throws(JSONRPCError) -> (page: ArraySlice<Element>, next: String?) {
        var rest = list[...]
        if let last = try parts(params, count: 1)?[0] {
            guard let index = list.firstIndex(where: { key($0) == last }) else { throw unknown }
            rest = list[(index + 1)...]
        }
        let page = rest.prefix(size)
        return (page, page.count < rest.count ? page.last.map { text([key($0)]) } : nil)
    }

    static let unknown = JSONRPCError(.invalidParams, "'cursor' is none that this server has given")
}

extension EnvelopePlace {
    /// - Returns: `nil` where the list begins.
    init?(_ params: RawJSON) throws(JSONRPCError) {
        guard let parts = try Cursor.parts(params, count: 2) else { return nil }
        guard let place = EnvelopePlace(parts) else { throw Cursor.unknown }
        self = place
    }

    init?(cursor: String) {
        guard let parts = Cursor.parts(cursor, count: 2) else { return nil }
        self.init(parts)
    }

    private init?(_ parts: [String]) {
        guard let time = Int64(parts[0]) else { return nil }
        self.init(createdAt: time, id: parts[1])
    }

    /// Where the page after this one begins; `nil` when this is the last.
    static func next(after page: [EnvelopeRecord], limit: Int) -> String? {
        guard page.count == limit, let last = page.last else { return nil }
        return Cursor.text([String(last.createdAt), last.id])
    }
}
