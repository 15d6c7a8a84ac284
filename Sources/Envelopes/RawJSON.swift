/// A JSON value as the bytes it came in: checked, never decoded, so no number loses a digit and no key changes its
/// place.
///
/// A value that was cut out of a message shares the message's memory.
public struct RawJSON: Sendable, Hashable {
    /// Valid JSON text without white space around it.
    public let bytes: ArraySlice<UInt8>

    /// For bytes that a scanner has passed.
    init(scanned bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// Checks that `text` is exactly one JSON value.
    public init(_ text: [UInt8], limits: JSONLimits = .standard) throws(JSONError) {
        try self.init(text[...], limits: limits)
    }

    /// Checks that `text` is exactly one JSON value.
    public init(_ text: ArraySlice<UInt8>, limits: JSONLimits = .standard) throws(JSONError) {
        let range = try scanning(text, limits: limits) { (scanner) throws(JSONError) in
            let range = try scanner.scanValue()
            try scanner.expectEnd()
            return range
        }
        bytes = text.from(range)
    }

    /// A JSON string.
    public init(string: String) {
        var writer = JSONWriter()
        writer.append(string: string)
        bytes = writer.bytes[...]
    }

    /// A JSON number.
    public init(integer: Int) { bytes = Array(String(integer).utf8)[...] }

    public init(array elements: some Sequence<RawJSON>) {
        self.init { writer in
            writer.beginArray()
            for element in elements { writer.append(element) }
            writer.endArray()
        }
    }

    public init(object members: some Sequence<Member>) {
        self.init { writer in
            writer.beginObject()
            for member in members { writer.append(member) }
            writer.endObject()
        }
    }

    public static let null = RawJSON(scanned: Array("null".utf8)[...])
    public static let emptyObject = RawJSON(scanned: Array("{}".utf8)[...])

    /// Its bytes alone: the message that it was cut out of is let go.
    public var detached: RawJSON { RawJSON(scanned: Array(bytes)[...]) }

    public enum Kind: String, Sendable { case object, array, string, number, boolean, null }

    public var kind: Kind {
        switch bytes.first {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .boolean
        case UInt8(ascii: "n"): .null
        default: .number
        }
    }

    // MARK: A look inside

    /// `nil` for null: in many places that means the same as nothing.
    public var nonNull: RawJSON? { kind == .null ? nil : self }

    /// The text of a string; `nil` for other kinds and for text with an escaped lone surrogate, which no Unicode string
    /// can hold.
    public var string: String? { decodeJSONString(bytes) }

    /// The value of a number without fraction and exponent that fits.
    public var integer: Int? { kind == .number ? Int(String(decoding: bytes, as: UTF8.self)) : nil }

    public var double: Double? { kind == .number ? Double(String(decoding: bytes, as: UTF8.self)) : nil }

    public var boolean: Bool? { kind == .boolean ? bytes.first == UInt8(ascii: "t") : nil }

    /// The members of an object in their order, doubles included; empty for other kinds.
    public var members: [Member] {
        guard kind == .object else { return [] }
        // The bytes were checked when they came in, so this cannot fail.
        return (try? Self.members(ofObject: bytes, limits: JSONLimits(size: .max, nesting: 4096))) ?? []
    }

    /// Checks that `text` is exactly one object and takes it apart, in one pass.
    static func members(ofObject text: ArraySlice<UInt8>, limits: JSONLimits) throws(JSONError) -> [Member] {
        // The object itself is one level.
        try scanning(text, limits: limits, outerLevels: 1) { (scanner) throws(JSONError) in
            try scanner.expect(UInt8(ascii: "{"), "'{'")
            let members = try scanner.scanMembers(of: text)
            try scanner.expectEnd()
            return members
        }
    }

    /// An element of a list of objects.
    public enum Element: Sendable {
        case object([Member])
        case other(RawJSON)
    }

    /// Checks that `text` is exactly one array, and takes it and the objects in it apart, in one pass.
    /// - Returns: `nil` for JSON of another kind.
    public static func objects(inArray text: [UInt8], limits: JSONLimits) throws(JSONError) -> [Element]? {
        guard firstCharacter(of: text) == UInt8(ascii: "[") else {
            _ = try RawJSON(text, limits: limits)
            return nil
        }
        let text = text[...]
        // The array and its object are two levels.
        return try scanning(text, limits: limits, outerLevels: 2) { (scanner) throws(JSONError) in
            var elements: [Element] = []
            try scanner.expect(UInt8(ascii: "["), "'['")
            if !scanner.take(UInt8(ascii: "]")) {
                repeat {
                    if scanner.take(UInt8(ascii: "{")) {
                        elements.append(.object(try scanner.scanMembers(of: text)))
                    } else {
                        elements.append(.other(RawJSON(scanned: text.from(try scanner.scanValue()))))
                    }
                } while scanner.take(UInt8(ascii: ","))
                try scanner.expect(UInt8(ascii: "]"), "',' or ']'")
            }
            try scanner.expectEnd()
            return elements
        }
    }

    /// What JSON text begins with, behind white space: it tells the kind of value that it can be.
    public static func firstCharacter(of text: [UInt8]) -> UInt8? {
        text.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
    }

    /// The elements of an array; empty for other kinds.
    public var elements: [RawJSON] {
        guard kind == .array else { return [] }
        let elements = try? scanning(bytes, limits: JSONLimits(size: .max, nesting: 4096)) {
            (scanner) throws(JSONError) in
            var elements: [Range<Int>] = []
            guard scanner.take(UInt8(ascii: "[")), !scanner.take(UInt8(ascii: "]")) else { return elements }
            repeat { elements.append(try scanner.scanValue()) } while scanner.take(UInt8(ascii: ","))
            return elements
        }
        return (elements ?? []).map { RawJSON(scanned: bytes.from($0)) }
    }

    /// The member of that name, the last one where it is there twice (as most parsers read it).
    public subscript(name: String) -> RawJSON? {
        guard kind == .object else { return nil }
        let range = try? scanning(bytes, limits: JSONLimits(size: .max, nesting: 4096)) { (scanner) throws(JSONError) in
            try scanner.expect(UInt8(ascii: "{"), "'{'")
            return try scanner.scanMembers(for: name)
        }
        return range.flatMap(\.self).map { RawJSON(scanned: bytes.from($0)) }
    }

    /// One member of an object, its name with quotes and escapes as it came.
    public struct Member: Sendable, Hashable {
        public let rawName: ArraySlice<UInt8>
        public let value: RawJSON

        public init(name: String, value: RawJSON) {
            self.rawName = RawJSON(string: name).bytes
            self.value = value
        }

        init(rawName: ArraySlice<UInt8>, value: RawJSON) {
            self.rawName = rawName
            self.value = value
        }

        /// `nil` for a name with an escaped lone surrogate.
        public var name: String? { decodeJSONString(rawName) }

        public func isNamed(_ name: String) -> Bool { rawName.withUnsafeBufferPointer { isName($0, name) } }
    }
}

extension RawJSON: CustomStringConvertible {
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// Whether a member's name, quotes included, is this one. By bytes: Swift takes canonically equivalent strings, such as
/// "K" and the Kelvin sign, for equal.
func isName(_ rawName: UnsafeBufferPointer<UInt8>, _ name: String) -> Bool {
    let inner = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(rawName).dropFirst().dropLast())
    var name = name
    return name.withUTF8 { name in
        if inner.count == name.count {
            return inner.isEmpty || inner.elementsEqual(UnsafeRawBufferPointer(name))
        }
        // An escape takes more room than what it stands for.
        guard inner.count > name.count, inner.contains(UInt8(ascii: "\\")) else { return false }
        return decodeJSONString(Array(rawName)[...])?.utf8.elementsEqual(name) == true
    }
}

/// Runs a scanner over `text`; the ranges that it gives count from the start of `text`.
func scanning<Value>(
    _ text: ArraySlice<UInt8>, limits: JSONLimits, outerLevels: Int = 0,
    _ body: (inout JSONScanner) throws(JSONError) -> Value
) throws(JSONError) -> Value {
    let result = text.withUnsafeBufferPointer { (bytes) -> Result<Value, JSONError> in
        guard bytes.count <= limits.size else {
            return .failure(
                JSONError(.tooLarge, "\(bytes.count) bytes, at most \(limits.size) are allowed", at: 0, in: bytes))
        }
        var scanner = JSONScanner(bytes, limits: limits, outerLevels: outerLevels)
        do throws(JSONError) { return .success(try body(&scanner)) } catch { return .failure(error) }
    }
    return try result.get()
}

extension ArraySlice<UInt8> {
    /// The part at a range that counts from this slice's start.
    func from(_ range: Range<Int>) -> ArraySlice<UInt8> {
        self[(startIndex + range.lowerBound)..<(startIndex + range.upperBound)]
    }
}
