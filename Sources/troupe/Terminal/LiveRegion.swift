/// The last lines of a terminal, drawn again and again; what is said for good goes above them. Pure: lines in, text for the terminal out.
///
/// The cursor rests below the region, at the left, and stays visible: whatever ends us, the terminal is as it should be.
struct LiveRegion: Sendable {
    /// Of the lines that are on the screen.
    private var drawn: [Int] = []

    /// - Parameters:
    ///   - lines: the region from now on; those that the terminal has no room for are left out.
    ///   - above: lines that stay, and scroll away.
    mutating func draw(
        _ lines: [StyledLine], above: [StyledLine] = [], size: Terminal.Size, color: Bool
    ) -> String {
        // One column less than there are: a line that fills the last one may or may not have begun the next.
        let width = max(1, size.columns - 1)
        let lines = lines.prefix(max(1, size.rows - 1)).map { $0.truncated(to: width) }
        var text = erasure(columns: size.columns)
        for line in above + lines { text += line.text(color: color) + "\n" }
        drawn = lines.map(\.columns)
        return text
    }

    /// Back to where the region begins. A window that has become narrower has folded its lines.
    private func erasure(columns: Int) -> String {
        let rows = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
        return "\r" + (rows > 0 ? "\u{1B}[\(rows)A" : "") + "\u{1B}[J"
    }
}

/// Draws on a terminal.
struct LiveScreen: Sendable {
    let terminal: Terminal
    private var region = LiveRegion()

    init(_ terminal: Terminal) { self.terminal = terminal }

    var size: Terminal.Size { terminal.size ?? Terminal.Size(columns: 80, rows: 24) }

    mutating func draw(_ lines: [StyledLine], above: [StyledLine] = []) {
        let text = region.draw(lines, above: above, size: size, color: terminal.hasColor)
        Output.write(Array(text.utf8), to: terminal.descriptor)
    }
}
