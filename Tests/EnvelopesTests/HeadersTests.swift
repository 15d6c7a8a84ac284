import Envelopes
import Testing

struct HeadersTests {
    private func headers(_ text: String) throws -> Headers { try Headers(RawJSON(Array(text.utf8))) }

    @Test func setsInPlaceAndKeepsTheRest() throws {
        var headers = try headers(#"{"a" : 1.0, "\u0062":"\u00e4", "c":[ 1 ]}"#)
        headers["b"] = RawJSON(integer: 2)
        #expect(headers.json?.description == #"{"a":1.0,"b":2,"c":[ 1 ]}"#)
        headers["d"] = .null
        #expect(headers.json?.description == #"{"a":1.0,"b":2,"c":[ 1 ],"d":null}"#)
        headers["a"] = nil
        #expect(headers.json?.description == #"{"b":2,"c":[ 1 ],"d":null}"#)
    }

    @Test func leavesItsBytesAloneWhenNothingChanges() throws {
        var headers = try headers(#"{ "a" : 1 }"#)
        headers["b"] = nil
        #expect(headers.json?.description == #"{ "a" : 1 }"#)
        var none = Headers()
        none["a"] = nil
        #expect(none.json == nil)
        none["a"] = .null
        #expect(none.json?.description == #"{"a":null}"#)
    }

    @Test func makesOneOfDoubles() throws {
        var headers = try headers(#"{"a":1,"b":2,"a":3}"#)
        #expect(headers["a"]?.integer == 3)
        headers["a"] = RawJSON(integer: 4)
        #expect(headers.json?.description == #"{"a":4,"b":2}"#)
        var last = try self.headers(#"{"b":2,"a":1,"a":3}"#)
        last["a"] = nil
        #expect(last.json?.description == #"{"b":2}"#)
    }

    @Test func readsTheTraceContext() throws {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        #expect(try headers(#"{"traceparent":"\#(text)"}"#).traceparent?.description == text)
        #expect(try headers(#"{"traceparent":"garbage"}"#).traceparent == nil)
        #expect(try headers(#"{"traceparent":7}"#).traceparent == nil)
        #expect(Headers().traceparent == nil)
    }

    /// Headers come from outside: whatever stands there can be counted up.
    @Test(arguments: ["-1", "9223372036854775807", "-9223372036854775808", "\"3\"", "null", "1.5", "1e99"])
    func countsFanOutsWhateverStandsThere(value: String) throws {
        var headers = try headers(#"{"troupe-fan-outs":\#(value)}"#)
        headers.fanOuts += 1
        #expect(headers.fanOuts >= 1)
    }

    @Test func countsFanOuts() throws {
        var headers = try headers(#"{"a":1}"#)
        #expect(headers.fanOuts == 0)
        headers.fanOuts += 1
        #expect(headers.json?.description == #"{"a":1,"troupe-fan-outs":1}"#)
        headers.fanOuts = 0
        #expect(headers.json?.description == #"{"a":1}"#)
    }
}
