/// A bar of so many columns, filled from the left in eighths.
struct ProgressBar: Sendable {
    /// 0...1
    var fraction: Double
    var style = StyledLine.Style.cyan

    private static let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

    func line(columns: Int) -> StyledLine {
        let steps = Int((min(max(fraction, 0), 1) * Double(columns * 8)).rounded(.down))
        let filled = String(repeating: "█", count: steps / 8) + Self.eighths[steps % 8]
        var line = StyledLine(filled, style)
        line.append(String(repeating: "░", count: max(0, columns - filled.count)), .dim)
        return line
    }
}
