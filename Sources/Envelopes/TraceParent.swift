/// W3C Trace Context, `traceparent` of version 00: `00-{32 hex}-{16 hex}-{2 hex}`.
public struct TraceParent: Sendable, Hashable, CustomStringConvertible {
    /// 16 bytes as lower-case hexadecimal digits, not all zero.
    public let traceID: String
    /// 8 bytes as lower-case hexadecimal digits, not all zero.
    public let spanID: String
    public let flags: UInt8

    /// `nil` for text that is no `traceparent`. Later versions are read by the fields that 00 has, as the
    /// recommendation asks.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4, parts[0].count == 2, parts[0] != "ff", parts.count == 4 || parts[0] != "00",
            Self.isHex(parts[0], 2), Self.isHex(parts[1], 32), Self.isHex(parts[2], 16), Self.isHex(parts[3], 2),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        traceID = parts[1]
        spanID = parts[2]
        self.flags = flags
    }

    private init(traceID: String, spanID: String, flags: UInt8) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    /// A new trace.
    /// - Parameter isSampled: whether somebody records it.
    public static func random(isSampled: Bool = true) -> TraceParent {
        var generator = SystemRandomNumberGenerator()
        return TraceParent(
            traceID: generator.next().hexadecimal + (generator.next() | 1).hexadecimal,
            spanID: (generator.next() | 1).hexadecimal, flags: isSampled ? 1 : 0)
    }

    /// Whether its spans are recorded.
    public var isSampled: Bool { flags & 1 == 1 }

    /// The next span of the same trace.
    public func child() -> TraceParent {
        var generator = SystemRandomNumberGenerator()
        return TraceParent(traceID: traceID, spanID: (generator.next() | 1).hexadecimal, flags: flags)
    }

    public var description: String {
        let flags = String(self.flags, radix: 16)
        return "00-\(traceID)-\(spanID)-\(flags.count == 1 ? "0" + flags : flags)"
    }

    private static func isHex(_ text: String, _ count: Int) -> Bool {
        text.utf8.count == count
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
