/// A line of text in parts that may look different. What comes from outside can't speak to the terminal from within.
struct StyledLine: Sendable, Hashable {
    /// Parameters of "select graphic rendition" (ECMA-48).
    enum Style: Int, Sendable {
        case plain = 0
        case bold = 1
        case dim = 2
        case red = 31
        case green = 32
        case yellow = 33
        case blue = 34
        case magenta = 35
        case cyan = 36
    }

    private struct Part: Sendable, Hashable {
        var text: String
        var style: Style
    }

    private var parts: [Part] = []

    init(_ text: String = "", _ style: Style = .plain) { append(text, style) }

    mutating func append(_ text: String, _ style: Style = .plain) {
        if !text.isEmpty { parts.append(Part(text: text.printable, style: style)) }
    }

    mutating func append(_ line: StyledLine) { parts += line.parts }

    /// How wide it is on a terminal.
    var columns: Int { parts.reduce(0) { $0 + $1.text.columns } }

    /// At most so wide; what is cut off ends in "…".
    func truncated(to columns: Int) -> StyledLine {
        guard self.columns > columns else { return self }
        var line = StyledLine()
        var room = max(0, columns - 1)
        for part in parts {
            let text = part.text.prefix(columns: room)
            line.append(text, part.style)
            room -= text.columns
            if text.utf8.count < part.text.utf8.count { break }
        }
        if columns > 0 { line.append("…") }
        return line
    }

    /// What is written, without a line end.
    func text(color: Bool) -> String {
        parts.map { part in
            color && part.style != .plain ? "\u{1B}[\(part.style.rawValue)m\(part.text)\u{1B}[0m" : part.text
        }.joined()
    }
}
