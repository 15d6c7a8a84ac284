import Envelopes
import Testing

struct TraceParentTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let span = "b7ad6b7169203331"

    @Test func readsAndWrites() throws {
        for flags in ["00", "01", "0f", "ff"] {
            let text = "00-\(Self.trace)-\(Self.span)-\(flags)"
            #expect(try #require(TraceParent(text)).description == text)
        }
        let parsed = try #require(TraceParent("00-\(Self.trace)-\(Self.span)-03"))
        #expect(parsed.traceID == Self.trace)
        #expect(parsed.spanID == Self.span)
        #expect(parsed.flags == 3)
    }

    @Test func readsLaterVersionsByTheFieldsOfTheFirst() throws {
        let later = try #require(TraceParent("cc-\(Self.trace)-\(Self.span)-01-what-the-future-will-be-like"))
        #expect(later.description == "00-\(Self.trace)-\(Self.span)-01")
        #expect(TraceParent("cc-\(Self.trace)-\(Self.span)-01") != nil)
    }

    @Test(arguments: [
        "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-01-more", "ff-\(trace)-\(span)-01",
        "0-\(trace)-\(span)-01",
        "000-\(trace)-\(span)-01", "zz-\(trace)-\(span)-01", "00-\(trace.uppercased())-\(span)-01",
        "00-\(trace)0-\(span)-01", "00-\(trace.dropLast())-\(span)-01", "00-\(trace)-\(span.dropLast())g-01",
        "00-00000000000000000000000000000000-\(span)-01", "00-\(trace)-0000000000000000-01", "00-\(trace)-\(span)-1",
        "00-\(trace)-\(span)-+1", "00-\(trace)-\(span)-01 ", " 00-\(trace)-\(span)-01", "00_\(trace)_\(span)_01",
        "00-\(trace)-\(span)-01-", "00-\(trace)-\(span)-\u{FF11}1",
    ])
    func refusesEverythingElse(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test func makesNewOnes() throws {
        let first = TraceParent.random()
        #expect(TraceParent(first.description) == first)
        #expect(first.flags == 1)
        #expect(TraceParent.random().traceID != first.traceID)
        let child = first.child()
        #expect(child.traceID == first.traceID)
        #expect(child.spanID != first.spanID)
        #expect(TraceParent(child.description) == child)
    }
}
