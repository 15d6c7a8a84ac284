import Envelopes
import Testing

@testable import troupe

@Suite("Top")
struct TopTests {
    private static let now: Int64 = 1_795_253_400_000_000

    private func actor(
        _ name: String, ready: Int? = 0, consumers: Int = 1, rate: Double = 0, failed: Double = 0, oldest: Int64? = nil,
        _ more: String = ""
    ) throws -> RawJSON {
        let oldest = oldest.map { #","oldest_at":"\#(Timestamp.text(microseconds: Self.now - $0 * 1_000_000))""# } ?? ""
        let text = """
            {"name":"\(name)","state":"running","ready":\(ready.map(String.init) ?? "null"),"consumers":\(consumers),\
            "dead_letters":1,"in_flight":2,"rates":{"completed_per_minute":\(rate),"failed_per_minute":\(failed),\
            "retried_per_minute":0.25}\(oldest)\(more)}
            """
        return try RawJSON(Array(text.utf8))
    }

    private func envelope(_ id: String, _ status: String, since seconds: Int64, _ more: String = "") throws -> RawJSON {
        let time = Timestamp.text(microseconds: Self.now - seconds * 1_000_000)
        return try RawJSON(
            Array(
                """
                {"id":"\(id)","status":"\(status)","created_at":"\(time)","updated_at":"\(time)","message":"m"\(more)}
                """.utf8))
    }

    private func board(
        _ actors: [RawJSON], _ envelopes: [RawJSON] = [], order: TopOrder = .ready,
        broker: String = #"{"available":true}"#
    ) throws -> TopBoard {
        var board = TopBoard(order: order)
        let list = RawJSON(array: actors)
        let answer = try RawJSON(Array(#"{"broker":\#(broker),"actors":\#(list)}"#.utf8))
        board.take(.init(actors: answer, envelopes: envelopes, time: Self.now))
        return board
    }

    private func names(_ board: TopBoard) -> [String] { board.actors.compactMap { $0["name"]?.string } }

    private func text(_ board: TopBoard, columns: Int = 110, rows: Int? = 24) -> [String] {
        TopScreen(columns: columns, rows: rows, address: "http://g", envelopeLimit: 10).lines(board).map {
            $0.text(color: false)
        }
    }

    // MARK: The board

    @Test("a letter sorts, the same again turns it round; the most first, names from A on, what nobody knows last")
    func sorting() throws {
        var board = try board([
            try actor("b", ready: 5, rate: 1, oldest: 10), try actor("a", ready: 5, failed: 3),
            try actor("c", ready: nil, consumers: 4, rate: 2, oldest: 70), try actor("d", ready: 9),
        ])
        #expect(names(board) == ["d", "a", "b", "c"])
        for (key, expected) in [
            ("r", ["c", "b", "a", "d"]), ("r", ["d", "a", "b", "c"]), ("a", ["a", "b", "c", "d"]),
            ("m", ["c", "b", "a", "d"]), ("f", ["a", "b", "c", "d"]), ("o", ["c", "b", "a", "d"]),
            ("c", ["c", "a", "b", "d"]), ("c", ["d", "b", "a", "c"]), ("i", ["a", "b", "c", "d"]),
        ] as [(Character, [String])] {
            #expect(board.pressed(key) == .draw)
            #expect(names(board) == expected, "\(key)")
        }
        #expect(board.pressed("q") == .quit && board.pressed("x") == .nothing && board.order == .inFlight)
    }

    @Test("each order has a key of its own, and q is none")
    func keys() {
        #expect(Set(TopOrder.allCases.map(\.key)).count == TopOrder.allCases.count)
        #expect(!TopOrder.allCases.contains { $0.key == "q" })
    }

    @Test(
        "arrows and their like are no letters",
        arguments: [
            ("ab", "ab"), ("\u{1B}[Aq", "q"), ("\u{1B}OPf", "f"), ("a\u{1B}[1;5Cb", "ab"), ("\u{1B}", ""),
            ("\u{1B}[", ""),
            ("\u{1B}q", "q"), ("\u{1B}[3~\u{1B}[Bo", "o"),
        ])
    func escapes(_ typed: String, _ keys: String) { #expect(String(Keyboard.keys(in: Array(typed.utf8)[...])) == keys) }

    @Test("the longest under way first; what starts later is not under way")
    func slowest() throws {
        let later = Timestamp.text(microseconds: Self.now + 1)
        let begun = Timestamp.text(microseconds: Self.now - 90_000_000)
        let board = try board(
            [],
            [
                try envelope("new", "running", since: 1), try envelope("old", "retrying", since: 100),
                try envelope("planned", "pending", since: 500, #","not_before":"\#(later)""#),
                try envelope("begun", "pending", since: 900, #","not_before":"\#(begun)""#),
            ])
        #expect(board.slowest(10).compactMap { $0["id"]?.string } == ["old", "begun", "new"])
        #expect(board.slowest(1).count == 1)
    }

    @Test("sums of all actors, as people and as programs read them")
    func totals() throws {
        let board = try board([try actor("a", ready: 5, rate: 1.1), try actor("b", ready: nil, rate: 2.2)])
        #expect(board.total(.ready) == 5 && board.total(.inFlight) == 4 && board.total(.retried) == 0.5)
        let json = try RawJSON(Array(board.json(10).description.utf8))
        #expect(
            json["totals"]?.description
                == #"{"ready":5,"in_flight":4,"dead_letters":2,"completed_per_minute":3.3,"failed_per_minute":0,"retried_per_minute":0.5}"#
        )
        #expect(json["actors"]?.elements.count == 2 && json["broker"]?["available"]?.description == "true")
        #expect(try self.board([]).json(1)["totals"]?["ready"]?.kind == .null)
    }

    // MARK: The screen

    @Test("a screen: title, totals, actors, envelopes, keys")
    func screen() throws {
        let board = try board(
            [try actor("summary", ready: 12, rate: 3.5, oldest: 90)], [try envelope("e-1", "running", since: 61)])
        #expect(
            text(board) == [
                "troupe top  http://g  \(Timestamp.text(microseconds: Self.now).prefix(19))Z",
                "1 actor · ready 12 · in flight 2 · done/min 3.5 · retried/min 0.25 · failed/min 0 · dead 1",
                "",
                "ACTOR    READY  IN FLIGHT  CONSUMERS  DEAD  RATE/MIN  FAILED/MIN  OLDEST  STATE",
                text(board)[4],
                "",
                "UNDER WAY  FOR  SILENT  STATUS   DONE  ACTOR  TOOL  MESSAGE",
                "e-1        1m   1m      running  -     -      -     m",
                "q quit  sort by a actor r ready▾ i in flight c consumers d dead m rate f failed o oldest",
            ])
        #expect(text(board)[4].hasPrefix("summary  12     2          1          1     3.5       0"))
    }

    @Test("never more lines or columns than there are, whatever the window", arguments: [1, 2, 3, 5, 8, 13, 24, 100])
    func room(_ rows: Int) throws {
        let actors = try (0..<40).map { (number: Int) in try actor("actor-\(number)", ready: number) }
        let envelopes = try (0..<40).map { (number: Int) in
            try envelope("envelope-\(number)", "running", since: Int64(number))
        }
        let board = try board(actors, envelopes, broker: #"{"available":false,"reason":"refused"}"#)
        for columns in [1, 10, 40, 79, 200] {
            let lines = TopScreen(columns: columns, rows: rows, address: "http://g", envelopeLimit: 10).lines(board)
            #expect(lines.count <= rows)
            #expect(lines.last?.text(color: false).hasPrefix("q") == true)
        }
        if rows >= 24 {
            let lines = text(board, columns: 200, rows: rows)
            #expect(lines.contains("the broker is away: refused"))
            #expect(lines.contains { $0.hasPrefix("actor-39") } && lines.contains { $0.hasPrefix("envelope-39") })
            #expect(rows == 100 || lines.contains { $0.hasPrefix("… and ") })
        }
    }

    @Test("where columns don't fit each actor is a paragraph, whole or not at all")
    func narrow() throws {
        let lines = text(try board([try actor("a", ready: 5), try actor("b")]), columns: 40)
        #expect(lines[3] == "a" && lines[4].hasPrefix("  ready 5 · in flight 2"))
        #expect(
            lines.allSatisfy {
                $0.columns <= 40 || $0.hasPrefix("q quit") || $0.contains("actors ·") || $0.contains("top")
            })
    }

    @Test("in a pipe all of it, and no keys")
    func pipe() throws {
        let lines = text(try board(try (0..<40).map { (number: Int) in try actor("actor-\(number)") }), rows: nil)
        #expect(lines.count == 2 + 1 + 41 && !lines.contains { $0.contains("quit") })
    }

    @Test("what keeps work from being done has a colour")
    func colors() throws {
        let board = try board([
            try actor("stuck", ready: 5, consumers: 0), try actor("failing", failed: 1), try actor("fine", ready: 1),
            try RawJSON(Array(#"{"name":"held","state":"paused","ready":7,"consumers":0}"#.utf8)),
        ])
        let lines = TopScreen(columns: 110, rows: 24, address: "", envelopeLimit: 1).lines(board).map {
            $0.text(color: true)
        }
        func color(_ name: String) -> String? {
            lines.first { $0.contains(name) }.map { String($0.prefix(5)) }
        }
        #expect(color("stuck ") == "\u{1B}[31m" && color("failing ") == "\u{1B}[31m" && color("held ") == "\u{1B}[33m")
        #expect(color("fine ") == "fine ")
    }
}
