/// Walks JSON text (RFC 8259, strict) without building anything: says where a value ends, or what is wrong and where.
///
/// Strings are checked to be UTF-8 (RFC 3629); numbers are checked by grammar only and never converted. Escaped lone
/// surrogates (`\ud800`) are valid JSON text and pass.
struct JSONScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: JSONLimits
    /// Levels that the caller has stepped into by itself.
    private let outerLevels: Int
    private(set) var offset = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits, outerLevels: Int = 0) {
        self.bytes = bytes
        self.limits = limits
        self.outerLevels = outerLevels
    }

    // MARK: Values

    /// Skips one whole value and returns where it stood, white space around it left out.
    mutating func scanValue() throws(JSONError) -> Range<Int> {
        skipWhiteSpace()
        let start = offset
        // One bit for each open container: set for an object. A loop, not recursion: hostile nesting must not touch the
        // stack.
        var kinds = InlineArray<64, UInt64>(repeating: 0)
        var depth = 0
        while true {
            let opened = try scanScalarOrOpen()
            if let isObject = opened {
                guard depth + outerLevels < limits.nesting else {
                    offset -= 1
                    throw error(.tooDeep, "more than \(limits.nesting) levels of nesting")
                }
                kinds[depth >> 6] =
                    isObject
                    ? kinds[depth >> 6] | (1 << UInt64(depth & 63)) : kinds[depth >> 6] & ~(1 << UInt64(depth & 63))
                depth += 1
                if !take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isObject { _ = try scanKey() }
                    continue
                }
                depth -= 1
            }
            // A value has ended: close what ends with it, up to the next value.
            var needsValue = false
            while depth > 0 && !needsValue {
                let isObject = kinds[(depth - 1) >> 6] & (1 << UInt64((depth - 1) & 63)) != 0
                if take(UInt8(ascii: ",")) {
                    if isObject { _ = try scanKey() }
                    needsValue = true
                } else if take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    depth -= 1
                } else {
                    throw unexpected(isObject ? "',' or '}'" : "',' or ']'")
                }
            }
            if depth == 0 && !needsValue { return start..<offset }
        }
    }

    /// Skips a scalar, or steps into a container: `true` for an object, `false` for an array, `nil` for a scalar.
    private mutating func scanScalarOrOpen() throws(JSONError) -> Bool? {
        skipWhiteSpace()
        guard offset < bytes.count else { throw unexpected("a value") }
        switch bytes[offset] {
        case UInt8(ascii: "{"):
            offset += 1
            return true
        case UInt8(ascii: "["):
            offset += 1
            return false
        case UInt8(ascii: "\""): _ = try scanString()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try scanNumber()
        case UInt8(ascii: "t"): try scanLiteral("true")
        case UInt8(ascii: "f"): try scanLiteral("false")
        case UInt8(ascii: "n"): try scanLiteral("null")
        default: throw unexpected("a value")
        }
        return nil
    }

    /// Skips the rest of an object whose brace was taken; returns its members, cut out of `text`, which it reads.
    mutating func scanMembers(of text: ArraySlice<UInt8>) throws(JSONError) -> [RawJSON.Member] {
        var members: [RawJSON.Member] = []
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            let (name, value) = (try scanKey(), try scanValue())
            members.append(RawJSON.Member(rawName: text.from(name), value: RawJSON(scanned: text.from(value))))
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"), "',' or '}'")
        return members
    }

    /// Skips the rest of an object whose brace was taken; returns where the value of its last member of that name stood.
    mutating func scanMembers(for name: String) throws(JSONError) -> Range<Int>? {
        var found: Range<Int>?
        if take(UInt8(ascii: "}")) { return nil }
        repeat {
            let (rawName, value) = (try scanKey(), try scanValue())
            if isName(UnsafeBufferPointer(rebasing: bytes[rawName]), name) { found = value }
        } while take(UInt8(ascii: ","))
        return found
    }

    /// Skips a member's name and the colon behind it; returns where the name stood, quotes included.
    mutating func scanKey() throws(JSONError) -> Range<Int> {
        skipWhiteSpace()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw unexpected("a member name") }
        let key = try scanString()
        guard take(UInt8(ascii: ":")) else { throw unexpected("':'") }
        return key
    }

    /// Skips white space and, if it is next, `byte`.
    mutating func take(_ byte: UInt8) -> Bool {
        skipWhiteSpace()
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ byte: UInt8, _ name: String) throws(JSONError) {
        guard take(byte) else { throw unexpected(name) }
    }

    mutating func expectEnd() throws(JSONError) {
        skipWhiteSpace()
        guard offset == bytes.count else { throw unexpected("the end") }
    }

    // MARK: Scalars

    private mutating func scanString() throws(JSONError) -> Range<Int> {
        let start = offset
        offset += 1
        while true {
            skipPlainASCII()
            guard offset < bytes.count else { throw error(.truncated, "unterminated string") }
            let byte = bytes[offset]
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return start..<offset
            case UInt8(ascii: "\\"): try scanEscape()
            case 0x80...: try scanMultibyteCharacter()
            case ..<0x20: throw error(.invalid, "unescaped control character in a string")
            default: offset += 1
            }
        }
    }

    /// Past everything that is neither quote, backslash, control character nor beyond ASCII, many bytes at a time.
    private mutating func skipPlainASCII() {
        guard let base = bytes.baseAddress else { return }
        offset += plainASCIIPrefix(UnsafeRawBufferPointer(start: base + offset, count: bytes.count - offset))
    }

    private mutating func scanEscape() throws(JSONError) {
        guard offset + 1 < bytes.count else { throw error(.truncated, "unterminated string") }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        case UInt8(ascii: "u"):
            for index in (offset + 2)..<(offset + 6) {
                guard index < bytes.count else { throw error(.truncated, "unterminated string") }
                guard hexValue(bytes[index]) != nil else {
                    throw error(.invalid, "\\u needs four hexadecimal digits")
                }
            }
            offset += 6
        default: throw error(.invalid, "unknown escape")
        }
    }

    /// RFC 3629, table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF. A text
    /// that ends within a character that was well so far is cut off, not wrong.
    private mutating func scanMultibyteCharacter() throws(JSONError) {
        let lead = bytes[offset]
        let (length, second): (Int, ClosedRange<UInt8>) =
            switch lead {
            case 0xC2...0xDF: (2, 0x80...0xBF)
            case 0xE0: (3, 0xA0...0xBF)
            case 0xED: (3, 0x80...0x9F)
            case 0xE1...0xEF: (3, 0x80...0xBF)
            case 0xF0: (4, 0x90...0xBF)
            case 0xF1...0xF3: (4, 0x80...0xBF)
            case 0xF4: (4, 0x80...0x8F)
            default: (0, 0x80...0xBF)
            }
        guard length > 0 else { throw error(.notUTF8, "not UTF-8") }
        for index in 1..<length {
            guard offset + index < bytes.count else { throw error(.truncated, "unterminated string") }
            guard (index == 1 ? second : 0x80...0xBF).contains(bytes[offset + index]) else {
                throw error(.notUTF8, "not UTF-8")
            }
        }
        offset += length
    }

    private mutating func scanNumber() throws(JSONError) {
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "0") {
            offset += 1
        } else {
            try scanDigits()
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try scanDigits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            try scanDigits()
        }
    }

    private mutating func scanDigits() throws(JSONError) {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") <= 9 { offset += 1 }
        if offset == start { throw unexpected("a digit") }
    }

    private mutating func scanLiteral(_ literal: StaticString) throws(JSONError) {
        let length = literal.utf8CodeUnitCount
        for index in 0..<length {
            guard offset + index < bytes.count else {
                throw error(.truncated, "expected '\(literal)', but the text ends")
            }
            guard bytes[offset + index] == literal.utf8Start[index] else { throw unexpected("'\(literal)'") }
        }
        offset += length
    }

    private mutating func skipWhiteSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    // MARK: Errors

    private func unexpected(_ expected: String) -> JSONError {
        offset >= bytes.count
            ? error(.truncated, "expected \(expected), but the text ends")
            : error(.invalid, "expected \(expected)")
    }

    private func error(_ code: JSONError.Code, _ message: String) -> JSONError {
        JSONError(code, message, at: offset, in: bytes)
    }
}

/// The value of a hexadecimal digit.
func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
