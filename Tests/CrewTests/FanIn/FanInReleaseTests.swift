import ActorKit
import Testing

@testable import Crew

struct FanInReleaseTests {
    private static let places = #"{"of":"x","round":0,"index":1,"count":2},{"of":"e","round":0,"index":0,"count":2}"#
    private let list = RawJSON(array: [RawJSON(integer: 1), .null])

    private func released(_ headers: String, missing: [Int] = []) throws -> Envelope {
        let envelope = try fanInEnvelope(headers: headers)
        return envelope.released(list, as: try FanInPiece(envelope), missing: missing)
    }

    @Test func theListGoesToTheNextActor() throws {
        let envelope = try released(#"{"a":1e400,"troupe-fan-out":[\#(Self.places)],"troupe-fan-in-missing":[9]}"#)
        #expect(envelope.id == "e" && envelope.route.currentActor == "summary")
        #expect(envelope.payload.description == "[1,null]")
        // The outer fan-out is still to be joined.
        #expect(
            envelope.headers.json?.description
                == #"{"a":1e400,"troupe-fan-out":[{"of":"x","round":0,"index":1,"count":2}]}"#)
    }

    @Test func gapsAreNamed() throws {
        let envelope = try released(#"{"troupe-fan-out":[\#(Self.places)]}"#, missing: [1, 4])
        #expect(envelope.headers["troupe-fan-in-missing"]?.description == "[1,4]")
    }

    @Test(arguments: [
        (#"{"key":"k","count":2,"timeout_ms":5,"index":0}"#, #"{"timeout_ms":5}"#), (#"{"key":"k","count":2}"#, nil),
    ])
    func aKeyIsUsedUpButNotTheFanOut(header: String, left: String?) throws {
        let envelope = try released(#"{"troupe-fan-out":[\#(Self.places)],"troupe-fan-in":\#(header)}"#)
        #expect(envelope.headers["troupe-fan-in"]?.description == left)
        #expect(envelope.headers[Headers.fanOut]?.elements.count == 2)
    }

    @Test func whoWaitsComesBackAsItIs() throws {
        let envelope = try fanInEnvelope(headers: #"{"troupe-fan-out":[\#(Self.places)]}"#)
        var returning = envelope.returning(after: .milliseconds(1234.9))
        #expect(returning.headers["troupe-delay-ms"]?.integer == 1234)
        returning.headers["troupe-delay-ms"] = nil
        #expect(returning == envelope)
    }
}
