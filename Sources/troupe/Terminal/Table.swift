/// Columns of text, each as wide as its widest cell.
struct Table {
    private let headings: [String]
    private var rows: [[String]] = []

    /// Of the last column, which gives way first.
    private static let leastWidth = 12

    init(_ headings: String...) { self.headings = headings }

    mutating func append(_ cells: String...) { rows.append(cells.map(\.printable)) }

    /// Lines without trailing spaces, each at most so many columns wide. Where the columns don't fit beside each other, every row is a
    /// paragraph: what it is about stays whole.
    func lines(width: Int = .max) -> [String] {
        let (heading, rows) = blocks(width: width)
        return (heading.map { [$0] } ?? []) + rows.flatMap { $0 }
    }

    /// The same, as what belongs to each row. Paragraphs have no common heading.
    func blocks(width: Int = .max) -> (heading: String?, rows: [[String]]) {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].columns }.max() ?? 0 }
        let fixed = widths.dropLast().reduce(0) { $0 + $1 + 2 }
        if fixed + min(widths.last ?? 0, Self.leastWidth) > width {
            return (nil, rows.map { paragraph($0, width) })
        }
        let lines = all.map { row in
            let cells = zip(row, widths).dropLast().map { $0.padded(toColumns: $1) } + row.suffix(1)
            return Self.trimmed(cells.joined(separator: "  ")).truncated(toColumns: width)
        }
        return (lines.first, lines.dropFirst().map { [$0] })
    }

    /// The first cell on a line of its own, the others with their headings below it.
    private func paragraph(_ row: [String], _ width: Int) -> [String] {
        var lines = [row.first ?? ""]
        var line = ""
        for (heading, cell) in zip(headings, row).dropFirst() where !cell.isEmpty && cell != "-" {
            let item = "\(heading.lowercased()) \(cell)"
            if line.isEmpty || line.columns + item.columns + 3 > width {
                if !line.isEmpty { lines.append(line) }
                line = "  " + item
            } else {
                line += " · " + item
            }
        }
        if !line.isEmpty { lines.append(line) }
        return lines.map { $0.truncated(toColumns: width) }
    }

    private static func trimmed(_ line: String) -> String {
        String(line.reversed().drop { $0 == " " }.reversed())
    }
}
