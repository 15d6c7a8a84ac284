import Envelopes
import Testing

struct FanOutPlaceTests {
    private func headers(_ text: String) throws -> Headers { try Headers(RawJSON(Array(text.utf8))) }

    private func places(_ headers: Headers) -> [FanOutPlace] {
        (headers[Headers.fanOut]?.elements ?? []).compactMap(FanOutPlace.init)
    }

    private func place(_ id: String, index: Int = 0) -> FanOutPlace {
        FanOutPlace(parentID: id, round: 2, index: index, count: 3)
    }

    @Test func theInnermostFanOutIsTheLast() throws {
        var headers = try headers(#"{"a":1e400}"#)
        headers.enterFanOut(place("e"))
        headers.enterFanOut(place("e-1", index: 2))
        let outer = #"{"of":"e","round":2,"index":0,"count":3}"#
        let inner = #"{"of":"e-1","round":2,"index":2,"count":3}"#
        #expect(headers.json?.description == #"{"a":1e400,"troupe-fan-out":[\#(outer),\#(inner)]}"#)
        #expect(places(headers) == [place("e"), place("e-1", index: 2)])
        headers.leaveFanOut()
        #expect(places(headers) == [place("e")])
        headers.leaveFanOut()
        #expect(headers.json?.description == #"{"a":1e400,"troupe-fan-out":[]}"#)
    }

    @Test func whatNobodyJoinsDoesNotGrowForEver() {
        var headers = Headers()
        for number in 0..<1000 { headers.enterFanOut(place("e-\(number)")) }
        #expect(places(headers) == (984..<1000).map { place("e-\($0)") })
        for number in 0..<20 { headers.enterFanOut(place(String(repeating: "x", count: 4000) + "\(number)")) }
        #expect((headers.json?.bytes.count ?? .max) < 17_000)
        #expect(places(headers).last?.parentID.hasSuffix("x19") == true)
    }

    /// Headers come from outside: what is none there is no place.
    @Test(arguments: [
        "7", "\"x\"", "null", "{}", "[1,{},\"x\"]", #"[{"of":"","round":0,"index":0,"count":1}]"#,
        #"[{"of":"e","round":-1,"index":0,"count":1}]"#, #"[{"of":"e","round":0,"index":1,"count":1}]"#,
        #"[{"of":"e","round":0,"index":-1,"count":1}]"#, #"[{"of":"e","round":0,"index":0}]"#,
        #"[{"of":"e","round":1.5,"index":0,"count":1}]"#, #"[{"of":7,"round":0,"index":0,"count":1}]"#,
        #"[{"of":"e","round":0,"index":0,"count":1e3}]"#,
    ])
    func garbageIsNoPlace(header: String) throws {
        var headers = try headers(#"{"troupe-fan-out":\#(header)}"#)
        #expect(places(headers).isEmpty)
        headers.enterFanOut(place("e"))
        #expect(places(headers) == [place("e")])
    }
}
