/// Puts JSON text together from strings, numbers and raw values. Commas and colons come by themselves.
public struct JSONWriter: Sendable {
    public private(set) var bytes: [UInt8]
    /// Whether the next element of the open container needs a comma before it.
    private var needsComma = false

    public init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Ends a value that stands on its own, as in JSON Lines: the next one needs no comma.
    public mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    /// A member's name; its value is appended next.
    public mutating func name(_ name: String) {
        append(string: name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func append(_ value: RawJSON) {
        separate()
        bytes.append(contentsOf: value.bytes)
    }

    public mutating func append(_ member: RawJSON.Member) {
        separate()
        bytes.append(contentsOf: member.rawName)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: member.value.bytes)
    }

    public mutating func append(_ number: Int) {
        separate()
        bytes.append(contentsOf: String(number).utf8)
    }

    public mutating func append(strings: some Sequence<String>) {
        beginArray()
        for string in strings { append(string: string) }
        endArray()
    }

    /// Infinities and NaN, which JSON does not know, are written as `null`.
    public mutating func append(_ number: Double) {
        separate()
        bytes.append(contentsOf: (number.isFinite ? String(number) : "null").utf8)
    }

    public mutating func append(_ flag: Bool) {
        separate()
        bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    }

    /// Escapes only what RFC 8259 says must be: quote, backslash, control characters.
    public mutating func append(string: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { append(escaping: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(escaping text: UnsafeBufferPointer<UInt8>) {
        var rest = text[...]
        while true {
            // Most text has nothing to escape.
            var end = rest.startIndex + plainASCIIPrefix(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: rest)))
            while end < rest.endIndex, !needsEscape(rest[end]) { end += 1 }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: rest[..<end]))
            rest = rest[end...]
            guard let byte = rest.popFirst() else { return }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x0A: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case 0x0D: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            case 0x09: bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            case ..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            default: bytes.append(byte)
            }
        }
    }

    private func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }
}

extension RawJSON {
    /// A value put together by a writer.
    public init(writing body: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        body(&writer)
        self.init(scanned: writer.bytes[...])
    }
}
