import Testing

@testable import troupe

@Suite("Tables")
struct TableTests {
    private var table: Table {
        var table = Table("ID", "STATUS", "MESSAGE")
        table.append("0190c7a4", "running", "日本語 is a longer message that says much")
        table.append("x", "-", "short\u{1B}[2J")
        return table
    }

    @Test("columns stand below each other, wide characters too")
    func wide() {
        var table = Table("A", "B")
        table.append("日本", "x")
        table.append("abc", "y")
        #expect(table.lines() == ["A     B", "日本  x", "abc   y"])
        #expect(self.table.lines().last == "x         -        short [2J")
    }

    @Test("the last column gives way", arguments: 35...60)
    func last(width: Int) {
        let lines = table.lines(width: width)
        #expect(lines.count == 3 && lines.allSatisfy { $0.columns <= width })
        #expect(lines[1].hasPrefix("0190c7a4  running  日本語") && (lines[1].hasSuffix("…") || width > 55))
    }

    @Test("where there is no room, each row is a paragraph", arguments: 16...28)
    func narrow(width: Int) {
        let lines = table.lines(width: width)
        #expect(lines.allSatisfy { $0.columns <= width }, "\(lines)")
        #expect(lines.first == "0190c7a4" && lines.contains("  status running"))
    }
}
