internal import Envelopes
internal import FoundationEssentials

/// The place in a list where the next page begins. Opaque to clients.
enum Cursor {
    static func text(_ parts: [String]) -> String {
        let json = RawJSON { writer in
            writer.append(strings: parts)
        }
        return Data(json.bytes).base64EncodedString()
    }

    /// - Returns: `nil` where a list begins.
    /// - Throws: for a cursor that isn't ours.
    static func parts(_ params: RawJSON, count: Int) throws(JSONRPCError) -> [String]? {
        guard let cursor = params["cursor"], cursor.kind != .null else { return nil }
        guard let data = cursor.string.flatMap({ Data(base64Encoded: $0) }), let json = try? RawJSON([UInt8](data))
        else {
            throw unknown
        }
        let parts = json.elements.compactMap(\.string)
        guard parts.count == count else { throw unknown }
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
        guard let time = Int64(parts[0]) else { throw Cursor.unknown }
        self.init(createdAt: time, id: parts[1])
    }

    /// Where the page after this one begins; `nil` when this is the last.
    static func next(after page: [EnvelopeRecord], limit: Int) -> String? {
        guard page.count == limit, let last = page.last else { return nil }
        return Cursor.text([String(last.createdAt), last.id])
    }
}
