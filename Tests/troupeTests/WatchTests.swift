import Envelopes
import HTTPClient
import Testing

@testable import troupe

@Suite("Watching")
struct WatchTests {
    /// An event as the gateway sends it.
    private func event(
        _ number: Int, _ id: String, _ status: String, percent: Int = 0, _ more: String = "", at second: Int = 0
    ) throws -> EnvelopeEvent {
        let data = """
            {"id":"\(id)","status":"\(status)","message":"m\(number)","progress_percent":\(percent),"actor":"a","actors":["a","b"],\
            "timestamp":"2026-11-21T09:30:0\(second).000000Z"\(more.isEmpty ? "" : ",\(more)")}
            """
        return try #require(EnvelopeEvent(.init(name: "update", data: data, id: String(number))))
    }

    private func partial(_ number: Int, _ id: String, _ type: String, _ data: String) throws -> EnvelopeEvent {
        let text = #"{"id":"\#(id)","actor":"a","type":"\#(type)","data":\#(data),"timestamp":"2026-11-21T09:30:01Z"}"#
        return try #require(EnvelopeEvent(.init(name: "partial", data: text, id: String(number))))
    }

    private func board(_ events: [EnvelopeEvent]) -> WatchBoard {
        var board = WatchBoard(["x"])
        for event in events { _ = board.take(event, of: "x") }
        return board
    }

    private func text(_ board: WatchBoard, columns: Int = 100, rows: Int = 24) -> [String] {
        WatchScreen(size: .init(columns: columns, rows: rows), now: 0).lines(board).map { $0.text(color: false) }
    }

    // MARK: The board

    @Test("children stand below what they say they came out of, also children of children, whatever they are called")
    func tree() throws {
        let parents = [
            ("x", nil), ("x-1", "x"), ("x-2", "x"), ("x-1-1", "x-1"), ("x-1-2", "x"), ("other", "x-2"),
            ("early", "not heard of yet"),
        ]
        let board = board(
            try parents.enumerated().map { number, family in
                try event(number + 1, family.0, "running", family.1.map { #""parent_id":"\#($0)""# } ?? "")
            })
        #expect(board.entries.map(\.id) == ["x", "x-1", "x-1-1", "x-2", "other", "x-1-2", "early"])
        #expect(board.entries.map(\.depth) == [0, 1, 2, 1, 2, 1, 1])
        #expect(board.entries.map(\.suffix) == ["x", "…-1", "…-1", "…-2", "other", "…-1-2", "early"])
    }

    @Test("what is told twice counts once, and nothing goes back")
    func twice() throws {
        var board = WatchBoard(["x"])
        var news: [Bool] = []
        for (number, status) in [(1, "running"), (3, "succeeded"), (3, "succeeded"), (2, "running")] {
            news.append(board.take(try event(number, "x", status), of: "x"))
        }
        #expect(news == [true, true, false, false])
        #expect(board.roots[0].status == .succeeded && board.roots[0].percent == 100)
    }

    @Test("a family has ended with the last of it; one that is sent again has not")
    func end() throws {
        var board = board([try event(1, "x", "succeeded"), try event(2, "x-1", "running")])
        #expect(!board.hasEnded("x"))
        _ = board.take(try event(3, "x-1", "failed"), of: "x")
        #expect(board.hasEnded("x") && board.exit == .failed)
        _ = board.take(try event(4, "x-1", "running"), of: "x")
        #expect(!board.hasEnded("x") && board.exit == .ok)
        _ = board.take(try event(5, "x-1", "cancelled"), of: "x")
        #expect(board.hasEnded("x") && board.exit == .cancelled)
    }

    @Test("a handler's progress moves the second half of its share, never back")
    func progress() throws {
        var board = board([try event(1, "x", "running", percent: 25)])
        for (number, percent, total) in [
            (2, "50", 37.5), (3, "20", 37.5), (4, "100", 50.0), (5, "1e9", 50), (6, "null", 50),
        ] {
            _ = board.take(try partial(number, "x", "progress", #"{"percent":\#(percent),"message":"half"}"#), of: "x")
            #expect(board.roots[0].percent == total)
        }
        #expect(board.roots[0].message == "half")
    }

    @Test("what is no event of ours is none")
    func strange() {
        for (name, data) in [
            ("update", "nonsense"), ("update", "{}"), ("message", #"{"id":"x"}"#), ("update", #"{"id":5}"#),
        ] {
            #expect(EnvelopeEvent(.init(name: name, data: data)) == nil)
        }
    }

    // MARK: The screen

    @Test("a line for each where there is room")
    func wide() throws {
        let board = board([
            try event(1, "x", "running", percent: 50), try event(2, "x-1", "succeeded", at: 1),
            try event(
                3, "x-2", "retrying", percent: 25, #""attempt":2,"next_attempt_at":"1970-01-01T00:00:03.500000Z""#),
            try event(4, "x-3", "failed", #""error":"E: no""#),
        ])
        #expect(
            text(board) == [
                "▸ x      ████████░░░░░░░░  50%  a  m1", "  ✓ …-1  ████████████████ 100%  succeeded after 0ms",
                "  ↻ …-2  ████░░░░░░░░░░░░  25%  a  again in 3.5s  m3",
                "  ✗ …-3  ░░░░░░░░░░░░░░░░   0%  failed after 0ms at a: E: no",
            ])
    }

    @Test("two lines for each where there is not")
    func narrow() throws {
        let lines = text(board([try event(1, "x", "running", percent: 50)]), columns: 40)
        #expect(lines == ["▸ x", "  ████░░░░  50%  a  m1"])
    }

    @Test("in a low window what has succeeded makes room for what has not", arguments: 3...12)
    func low(rows: Int) throws {
        var events = [try event(1, "x", "running")]
        for child in 1...30 { events.append(try event(child + 1, "x-\(child)", child == 29 ? "running" : "succeeded")) }
        let lines = text(board(events), rows: rows)
        #expect(lines.count <= rows - 1)
        if rows > 4 { #expect(lines[0].contains("x") && lines.contains { $0.contains("…-29") }, "\(lines)") }
        #expect(lines.last?.hasPrefix("… ") == true)
    }

    @Test("what a handler says can't speak to the terminal, on no way")
    func hostile() throws {
        let evil = #"\u001b]0;title\u0007\u001b[2J"#
        let events = [
            try event(1, "x", "failed", #""error":"\#(evil)""#),
            try partial(2, "x", "log", #"{"level":"info","message":"\#(evil)"}"#),
            try partial(3, "x", "sample", #""\#(evil)""#),
            try partial(4, evil, "progress", #"{"percent":1,"message":"\#(evil)"}"#),
        ]
        let board = board(events)
        let shown =
            text(board) + events.map { WatchLines.line($0).text(color: false) }
            + events.compactMap { WatchLines.said($0)?.text(color: false) }
        #expect(shown.allSatisfy { !$0.unicodeScalars.contains { $0.value < 0x20 } }, "\(shown)")
    }

    @Test("lines for a pipe")
    func lines() throws {
        #expect(
            WatchLines.line(try event(1, "x", "running", percent: 50)).text(color: false)
                == "2026-11-21T09:30:00Z  x  running  50%  a  m1")
        #expect(
            WatchLines.line(try partial(2, "x", "log", #"{"level":"warning","message":"careful"}"#)).text(color: false)
                == "2026-11-21T09:30:01Z  x  a  warning: careful")
        #expect(WatchLines.said(try partial(2, "x", "progress", #"{"percent":5}"#)) == nil)
    }

    @Test("an envelope for people")
    func status() throws {
        let json = """
            {"id":"x","status":"running","route":{"actors":["a","b"],"current":1},"current_actor_idx":1,"progress_percent":62.5,"attempt":2,
            "message":"m","created_at":"1970-01-01T00:00:00.000000Z","children":{"running":2,"failed":1},
            "steps":[{"actor":"a","attempt":1,"outcome":"completed","wait_ms":3.5,"run_ms":1500}]}
            """
        let view = EnvelopeView(try RawJSON(Array(json.utf8)), now: 65_000_000)
        #expect(
            view.lines(width: 80).map { $0.text(color: false) } == [
                "id        x", "status    running, 62%, attempt 2", "route     a → b", "message   m",
                "created   1970-01-01T00:00:00Z (1m ago)", "children  2 running, 1 failed", "",
                "STEP  ATTEMPT  OUTCOME    WAITED  RAN   ERROR", "a     1        completed  3ms     1.5s",
            ])
        #expect(view.lines(width: 20).allSatisfy { $0.columns <= 20 })
    }
}
