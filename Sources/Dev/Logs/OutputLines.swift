/// Cuts what a program writes into lines that can be shown: bounded, as text, without a way to speak to the terminal. Pure.
struct OutputLines: Sendable {
    /// Bytes of a line; what is beyond is left out.
    static let limit = 8 << 10

    private var line: [UInt8] = []
    private var omitted = 0
    /// A carriage return has come, and what comes next decides what it was.
    private var isReturning = false

    /// The lines that are complete now.
    mutating func append(_ bytes: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(take())
                continue
            }
            // A progress bar draws itself over itself: what it was at last counts.
            if isReturning { (line, omitted, isReturning) = ([], 0, false) }
            if byte == UInt8(ascii: "\r") {
                isReturning = true
            } else if line.count < Self.limit {
                line.append(byte)
            } else {
                omitted += 1
            }
        }
        return lines
    }

    /// What has no line end, when no more will come.
    mutating func rest() -> String? { line.isEmpty ? nil : take() }

    private mutating func take() -> String {
        defer { (line, omitted, isReturning) = ([], 0, false) }
        let text = String(decoding: line, as: UTF8.self).harmless
        return omitted > 0 ? "\(text)… (\(omitted) bytes more)" : text
    }
}

extension String {
    /// Without commands to a terminal, which other programs' colours are, too.
    var harmless: String {
        if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
        var result = ""
        var scalars = unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\t": result += "    "
            case "\u{1B}": Self.skipCommand(&scalars)
            case _ where scalar.properties.generalCategory == .control: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// What stands behind an escape character (ECMA-48).
    private static func skipCommand(_ scalars: inout Substring.UnicodeScalarView) {
        switch scalars.popFirst() {
        case "[":
            // Parameters, then one final character.
            while let scalar = scalars.popFirst() { if ("@"..."~").contains(scalar) { return } }
        case "]":
            // A title or a link, until a bell or another escape sequence.
            while let scalar = scalars.popFirst() {
                if scalar == "\u{07}" { return }
                if scalar == "\u{1B}" {
                    _ = scalars.popFirst()
                    return
                }
            }
        default: return
        }
    }
}
