/// What is wrong with a JSON text, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Breaks the grammar of RFC 8259.
        case invalid = "invalid_json"
        case truncated = "truncated_json"
        case notUTF8 = "not_utf8"
        case tooDeep = "nesting_too_deep"
        case tooLarge = "message_too_large"
        /// A member that may stand once stands twice.
        case duplicate = "duplicate_member"
        /// Valid JSON, but not of the type that was asked for.
        case wrongType = "wrong_type"
    }

    public let code: Code
    public let message: String
    /// Bytes before the place, from 0.
    public let offset: Int
    /// From 1; a line ends at a line feed.
    public let line: Int
    /// From 1, in bytes.
    public let column: Int

    init(_ code: Code, _ message: String, at offset: Int, in bytes: UnsafeBufferPointer<UInt8>) {
        let before = bytes.prefix(offset)
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        self.code = code
        self.message = message
        self.offset = offset
        line = before.count { $0 == UInt8(ascii: "\n") } + 1
        column = offset - lineStart + 1
    }

    public var description: String { "\(message) at line \(line), column \(column) (byte \(offset))" }
}

/// Bounds for JSON that comes from outside.
public struct JSONLimits: Sendable, Hashable {
    /// Bytes of the whole text.
    public var size: Int
    /// Levels of objects and arrays within each other, 1...4096.
    public var nesting: Int {
        didSet { nesting = Self.clamped(nesting) }
    }

    public init(size: Int = 64 << 20, nesting: Int = 512) {
        self.size = size
        self.nesting = Self.clamped(nesting)
    }

    /// The scanner has room for so many.
    private static func clamped(_ nesting: Int) -> Int { min(max(nesting, 1), 4096) }

    public static let standard = JSONLimits()

    /// For end actors. An error envelope holds a payload and a reply that these limits have just let through, one level
    /// further in.
    public var ofErrorEnvelopes: JSONLimits { JSONLimits(size: 2 * size + 65_536, nesting: nesting + 2) }
}
