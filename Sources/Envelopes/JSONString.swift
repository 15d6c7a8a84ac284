/// Decodes a checked JSON string, quotes included; `nil` for anything else and for an escaped lone surrogate.
func decodeJSONString(_ bytes: ArraySlice<UInt8>) -> String? {
    guard bytes.count >= 2, bytes.first == UInt8(ascii: "\"") else { return nil }
    let inner = bytes.dropFirst().dropLast()
    guard inner.contains(UInt8(ascii: "\\")) else { return String(decoding: inner, as: UTF8.self) }

    var text: [UInt8] = []
    text.reserveCapacity(inner.count)
    var index = inner.startIndex
    while index < inner.endIndex {
        guard inner[index] == UInt8(ascii: "\\") else {
            text.append(inner[index])
            index += 1
            continue
        }
        let escape = inner[index + 1]
        index += 2
        switch escape {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            guard let scalar = decodeUnicodeEscape(inner, at: &index) else { return nil }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: text.append(escape)
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// `index` stands behind `\u`; a surrogate pair takes both of its escapes (RFC 8259, section 7).
private func decodeUnicodeEscape(_ text: ArraySlice<UInt8>, at index: inout Int) -> Unicode.Scalar? {
    let first = codeUnit(text, at: index)
    index += 4
    guard (0xD800...0xDBFF).contains(first) else { return Unicode.Scalar(first) }
    guard index + 6 <= text.endIndex, text[index] == UInt8(ascii: "\\"), text[index + 1] == UInt8(ascii: "u") else {
        return nil
    }
    let second = codeUnit(text, at: index + 2)
    guard (0xDC00...0xDFFF).contains(second) else { return nil }
    index += 6
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
}

private func codeUnit(_ text: ArraySlice<UInt8>, at index: Int) -> UInt32 {
    text[index..<(index + 4)].reduce(0) { $0 << 4 | UInt32(hexValue($1) ?? 0) }
}
