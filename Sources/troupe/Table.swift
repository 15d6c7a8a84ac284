import Envelopes

/// Columns of text, each as wide as its widest cell.
struct Table {
    let headings: [String]
    var rows: [[String]] = []

    init(_ headings: String...) { self.headings = headings }

    mutating func append(_ cells: String...) { rows.append(cells.map(\.printable)) }

    /// Lines without trailing spaces, each at most `width` characters: the last column gives way.
    func lines(width: Int = .max) -> [String] {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            while line.last == " " { line.removeLast() }
            return line.count > width ? line.prefix(max(1, width - 1)) + "…" : line
        }
    }
}

extension String {
    /// What comes from outside must not speak to the terminal.
    fileprivate var printable: String {
        String(
            map { character in
                character.unicodeScalars.contains { $0.properties.generalCategory == .control } ? " " : character
            })
    }
}
