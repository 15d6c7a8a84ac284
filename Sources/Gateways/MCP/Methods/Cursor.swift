internal import Envelopes
internal import FoundationEssentials

/// The place in a list where the next page begins. Opaque to clients.
enum Cursor {
    static func text(_ parts: [String]) -> String {
        let json = RawJSON { writer in
            writer.append(strings: parts)
        }
        // Of the alphabet that needs no quoting in a URL (RFC 4648, section 5).
        return Data(json.bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    /// - Returns: `nil` for a cursor that isn't ours.
    static func parts(_ text: String, count: Int) -> [String]? {
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        let padded = base64 + String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), let json = try? RawJSON([UInt8](data)) else { return nil }
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
