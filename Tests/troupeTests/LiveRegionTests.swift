import Testing

@testable import troupe

@Suite("The lines that are drawn again")
struct LiveRegionTests {
    private let size = Terminal.Size(columns: 10, rows: 4)

    /// Draws one after the other.
    private func texts(_ drawings: (lines: [String], above: [String], size: Terminal.Size)...) -> [String] {
        var region = LiveRegion()
        return drawings.map { drawing in
            region.draw(
                drawing.lines.map { StyledLine($0) }, above: drawing.above.map { StyledLine($0) }, size: drawing.size,
                color: false)
        }
    }

    @Test("the second drawing replaces the first")
    func redraw() {
        let texts = texts((["a", "b"], [], size), (["c"], [], size), (["d"], ["for good"], size))
        #expect(texts == ["\r\u{1B}[Ja\nb\n", "\r\u{1B}[2A\u{1B}[Jc\n", "\r\u{1B}[1A\u{1B}[Jfor good\nd\n"])
    }

    @Test("no line reaches the window's edge, and no more are drawn than it has room for")
    func bounds() {
        let texts = texts((Array(repeating: "日本語日本語", count: 9), [], size), ([], [], size))
        #expect(texts == ["\r\u{1B}[J日本語日…\n日本語日…\n日本語日…\n", "\r\u{1B}[3A\u{1B}[J"])
    }

    @Test("a window that has become narrower has folded what was drawn")
    func narrower() {
        let texts = texts((["123456789", "12"], [], size), (["x"], [], Terminal.Size(columns: 4, rows: 9)))
        #expect(texts.last == "\r\u{1B}[4A\u{1B}[Jx\n")
    }
}
