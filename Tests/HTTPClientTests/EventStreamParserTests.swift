import HTTPClient
import Testing

@Suite("Server-sent events")
struct EventStreamParserTests {
    typealias Event = EventStreamParser.Event

    private func parse(_ text: String, piece: Int = .max) throws -> (events: [Event], last: String) {
        var parser = EventStreamParser(after: "7")
        var events: [Event] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            events += try parser.parse(rest.prefix(piece))
            rest = rest.dropFirst(piece)
        }
        return (events, parser.lastEventID)
    }

    @Test("fields, comments, line ends and spaces, cut at every place", arguments: [1, 2, 3, 5, .max])
    func cases(piece: Int) throws {
        let cases: [(String, [Event], String)] = [
            ("data: a\n\n", [Event(data: "a", id: "7")], "7"),
            ("\u{FEFF}data: a\n\n", [Event(data: "a", id: "7")], "7"),
            ("data:a\ndata\ndata:  b\n\n", [Event(data: "a\n\n b", id: "7")], "7"),
            ("id: 8\r\nevent: update\r\ndata: {}\r\n\r\n", [Event(name: "update", data: "{}", id: "8")], "8"),
            ("id: 8\rdata: x\r\rdata: y\r\r", [Event(data: "x", id: "8"), Event(data: "y", id: "8")], "8"),
            ("id: 8\ndata: x\n\nid: 9\ndata: y\n\n", [Event(data: "x", id: "8"), Event(data: "y", id: "9")], "9"),
            (": keepalive\n\n", [], "7"),
            ("id: 9\n: keepalive\n\n", [], "9"),
            ("id\n\n", [], ""),
            ("id: 1\0\ndata: a\n\n", [Event(data: "a", id: "7")], "7"),
            ("retry: 5\nunknown: x\nDATA: y\n\n", [], "7"),
            ("event: update\n\ndata: a\n\n", [Event(data: "a", id: "7")], "7"),
            ("data: ü🎭\n\n", [Event(data: "ü🎭", id: "7")], "7"),
            ("data:\n\n", [Event(data: "", id: "7")], "7"),
            // Not ended: nothing has happened, and the id doesn't count.
            ("id: 9\ndata: a\n", [], "7"),
        ]
        for (text, events, last) in cases {
            let parsed = try parse(text, piece: piece)
            #expect(parsed.events == events && parsed.last == last, "\(text.debugDescription)")
        }
    }

    @Test("an event has a limit")
    func limit() throws {
        var parser = EventStreamParser(limit: 20)
        #expect(try parser.parse(Array("data: 0123456789\n\ndata: 0123456789\n\n".utf8)).count == 2)
        #expect(throws: HTTPError.self) { try parser.parse(Array("data: 012345678901234567890".utf8)) }
    }
}
