extension String {
    /// How many columns of a terminal it takes. Of sequences that some terminals join (emojis of several parts) the most that any takes: a
    /// line that is shorter than thought does no harm.
    var columns: Int { reduce(0) { $0 + $1.columns } }

    /// As much of its beginning as fits.
    func prefix(columns limit: Int) -> String {
        var room = limit
        return String(
            prefix { character in
                room -= character.columns
                return room >= 0
            })
    }

    /// At most so wide; what is cut off ends in "…".
    func truncated(toColumns limit: Int) -> String {
        columns <= limit ? self : prefix(columns: max(0, limit - 1)) + (limit > 0 ? "…" : "")
    }

    /// In lines of whole words; one that is longer than a line is left as it is.
    func wrapped(toColumns width: Int) -> [String] {
        var lines: [String] = []
        for word in split(separator: " ") {
            if let last = lines.last, last.columns + 1 + String(word).columns <= width {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    /// With spaces behind it.
    func padded(toColumns width: Int) -> String { self + String(repeating: " ", count: max(0, width - columns)) }

    /// What comes from outside must not speak to the terminal, nor turn the direction of what stands around it.
    var printable: String {
        if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
        return String(map { $0.unicodeScalars.contains(where: \.isCommand) ? " " : $0 })
    }
}

extension Character {
    fileprivate var columns: Int {
        if isASCII { return 1 }
        let columns = unicodeScalars.reduce(0) { $0 + $1.columns }
        // Variation selector 16 asks for the wide form of what else is narrow.
        return unicodeScalars.contains("\u{FE0F}") ? max(2, columns) : columns
    }
}

extension Unicode.Scalar {
    fileprivate var columns: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: 0
        default: properties.isEmojiPresentation || isWide ? 2 : 1
        }
    }

    /// East Asian Wide and Fullwidth (Unicode Standard Annex 11), by blocks.
    private var isWide: Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
            0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
            0x1F900...0x1FAFF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }

    fileprivate var isCommand: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // Embeddings, overrides and isolates of direction.
        case .format: (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
        default: false
        }
    }
}
