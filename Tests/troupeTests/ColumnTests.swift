import Testing

@testable import troupe

@Suite("Columns of a terminal")
struct ColumnTests {
    @Test(
        "wide, narrow, joined and combining characters",
        arguments: [
            ("", 0), ("abc", 3), ("日本語", 6), ("🎭", 2), ("e\u{301}", 1), ("한국", 4), ("ｆｕ", 4), ("☂\u{FE0F}", 2),
            ("👩\u{200D}👩\u{200D}👧", 6), ("🇩🇪", 2), ("—…", 2), ("█▏", 2),
        ])
    func columns(_ text: String, _ columns: Int) {
        // Two flags' letters take four in some terminals: more than thought does harm, less doesn't.
        #expect(text.columns >= columns && text.columns <= columns * 2, "\(text) takes \(text.columns)")
        if text != "🇩🇪" { #expect(text.columns == columns) }
    }

    @Test("cut at a character, never within one")
    func cut() {
        #expect("日本語".prefix(columns: 3) == "日")
        #expect("日本語".truncated(toColumns: 5) == "日本…")
        #expect("日本語".truncated(toColumns: 6) == "日本語")
        #expect("abc".truncated(toColumns: 2) == "a…")
        #expect("abc".truncated(toColumns: 0) == "")
        #expect("日".padded(toColumns: 4) == "日  ")
        #expect("one two 日本語 four".wrapped(toColumns: 8) == ["one two", "日本語", "four"])
    }

    @Test("what comes from outside gives the terminal no orders")
    func printable() {
        #expect("a\u{1B}[31mb\r\nc\td\u{7}\u{9B}2J".printable == "a [31mb c d  2J")
        #expect("x\u{202E}y\u{2066}z\u{2028}".printable == "x y z ")
        #expect("👩\u{200D}👧 é 日".printable == "👩\u{200D}👧 é 日")
        for scalar in (0..<0x20).compactMap(Unicode.Scalar.init) {
            #expect(!"a\(scalar)b".printable.unicodeScalars.contains(scalar))
        }
    }

    @Test("a styled line is cut by what is seen")
    func styled() {
        var line = StyledLine("ab", .red)
        line.append("日本", .bold)
        line.append("!")
        #expect(line.columns == 7)
        #expect(line.text(color: false) == "ab日本!")
        #expect(line.text(color: true) == "\u{1B}[31mab\u{1B}[0m\u{1B}[1m日本\u{1B}[0m!")
        #expect(line.truncated(to: 6).text(color: false) == "ab日…")
        #expect(line.truncated(to: 3).text(color: false) == "ab…")
        #expect(line.truncated(to: 7) == line)
        #expect(line.truncated(to: 0).text(color: true) == "")
    }

    @Test("who asks for colors, and who refuses them")
    func color() {
        for (choice, isLive, isRefused, isOn) in [
            (ColorChoice.auto, true, false, true), (.auto, true, true, false), (.auto, false, false, false),
            (.always, false, true, true), (.never, true, false, false),
        ] {
            #expect(choice.isOn(isLive: isLive, isRefused: isRefused) == isOn)
        }
    }

    @Test(
        "bars fill from the left",
        arguments: [(0.0, "░░░░"), (0.5, "██░░"), (0.53125, "██▏░"), (1, "████"), (7, "████"), (-1, "░░░░")])
    func bar(_ fraction: Double, _ text: String) {
        #expect(ProgressBar(fraction: fraction).line(columns: 4).text(color: false) == text)
    }

    @Test(
        "ages in their largest unit",
        arguments: [
            (0, "0ms"), (12_345, "12ms"), (3_250_000, "3.2s"), (59_000_000, "59s"), (60_000_000, "1m"),
            (3_600_000_000, "1h"),
            (Int64(400) * 86_400_000_000, "400d"), (-5, "0ms"),
        ])
    func age(_ microseconds: Int64, _ text: String) { #expect(Age(microseconds: microseconds).text == text) }
}
