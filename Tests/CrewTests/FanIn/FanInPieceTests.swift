import ActorKit
import Testing

@testable import Crew

/// An envelope at the actor `fan-in`, between two others.
func fanInEnvelope(
    _ id: String = "e", headers: String = "{}", payload: String = "1", current: Int = 1
) throws -> Envelope {
    Envelope(
        id: id, route: Route(actors: ["split", "fan-in", "summary"], current: current),
        headers: try Headers(RawJSON(Array(headers.utf8))), payload: try RawJSON(Array(payload.utf8)))
}

struct FanInPieceTests {
    private static let place = #"{"of":"e","round":2,"index":3,"count":20}"#

    private func piece(_ headers: String, id: String = "e-3") throws -> FanInPiece? {
        try FanInPiece(fanInEnvelope(id, headers: headers))
    }

    @Test func aChildOfAFanOut() throws {
        let piece = try #require(
            try piece(#"{"troupe-fan-out":[{"of":"x","round":0,"index":0,"count":2},\#(Self.place)]}"#))
        #expect(
            piece
                == FanInPiece(
                    group: "fan-in/fan-out/e/2", count: 20, index: 3, envelopeID: "e-3", attempt: "0.0",
                    isOfFanOut: true)
        )
    }

    @Test func theHeaderSaysHowLongAndWhatThen() throws {
        let header = #"{"timeout_ms":1500,"on_missing":"release","splits":["a","b"],"key":null}"#
        let piece = try #require(
            try piece(#"{"troupe-fan-out":[\#(Self.place)],"troupe-fan-in":\#(header)}"#))
        #expect(piece.timeout == .milliseconds(1500) && piece.releasesPartial && piece.isOfFanOut)
    }

    @Test func aKeyMakesAGroupOfItsOwn() throws {
        let header = #"{"key":"order 7","count":3,"index":2}"#
        let piece = try #require(
            try piece(#"{"troupe-fan-out":[\#(Self.place)],"troupe-fan-in":\#(header)}"#, id: "x"))
        #expect(
            piece
                == FanInPiece(
                    group: "fan-in/key/order%207", count: 3, index: 2, envelopeID: "x", attempt: "0.0",
                    isOfFanOut: false))
        #expect(try self.piece(#"{"troupe-fan-in":{"key":"k","count":3,"on_missing":"fail"}}"#)?.index == nil)
    }

    @Test(arguments: ["{}", #"{"troupe-fan-out":[]}"#, #"{"troupe-fan-out":null,"troupe-fan-in":{"timeout_ms":5}}"#])
    func whoHasNoGroupIsAlone(headers: String) throws {
        #expect(try piece(headers) == nil)
    }

    /// A group's name goes into an index, and into a text without NUL.
    @Test func namesAreShortAndHarmlessWhateverAnIDIs() throws {
        let long = String(repeating: "ü/", count: 5000)
        let pieces = try [long + "a", long + "b", "a\\u0000b", "a%00b"].map { id in
            try #require(
                try piece(#"{"troupe-fan-out":[{"of":"\#(id)","round":0,"index":0,"count":2}]}"#, id: long + id))
        }
        #expect(Set(pieces.map(\.group)).count == 4 && Set(pieces.map(\.envelopeID)).count == 4)
        #expect(pieces.allSatisfy { ($0.group + $0.envelopeID).utf8.allSatisfy { (0x21...0x7E).contains($0) } })
        #expect(pieces.allSatisfy { $0.group.utf8.count < 300 && $0.envelopeID.utf8.count <= 200 })
    }

    @Test func aRetryAndAReplayAreOtherAttemptsARedeliveryIsNot() throws {
        let headers = [
            "", #","troupe-attempts":[{"attempt":1},{"attempt":2}]"#, #","troupe-replays":1"#,
            #","troupe-replays":1,"troupe-attempts":[{"attempt":1}]"#, #","troupe-attempts":"x","troupe-replays":{}"#,
        ]
        let attempts = try headers.map { try piece(#"{"troupe-fan-out":[\#(Self.place)]\#($0)}"#)?.attempt }
        #expect(attempts == ["0.0", "0.2", "1.0", "1.1", "0.0"])
    }

    @Test(arguments: [
        ("7", "must be an object, is number"), ("[]", "must be an object, is array"),
        (#"{"timeout_ms":"5s"}"#, "'timeout_ms' must be a whole number from 1 to 2592000000"),
        (#"{"timeout_ms":0}"#, "'timeout_ms' must be"), (#"{"timeout_ms":2592000001}"#, "'timeout_ms' must be"),
        (#"{"timeout_ms":1.5}"#, "'timeout_ms' must be"),
        (#"{"on_missing":"ignore"}"#, #"'on_missing' must be "fail" or "release""#),
        (#"{"on_missing":true}"#, "'on_missing'"),
        (#"{"key":"","count":2}"#, "'key' must be a string of 1 to 200 bytes"),
        (#"{"key":7,"count":2}"#, "'key' must be"),
        (#"{"key":"k"}"#, "a 'key' needs a 'count'"), (#"{"count":2}"#, "'count' and 'index' go with a 'key'"),
        (#"{"index":0}"#, "'count' and 'index' go with a 'key'"), (#"{"key":"k","count":0}"#, "'count' must be"),
        (#"{"key":"k","count":10001}"#, "'count' must be a whole number from 1 to 10000"),
        (#"{"key":"k","count":2,"index":2}"#, "'index' is 2, with a 'count' of 2"),
        (#"{"key":"k","count":2,"index":-1}"#, "'index' must be a whole number from 0 to 9999"),
        (#"{"splits":"a"}"#, "'splits' must be a list"), (#"{"splits":[7]}"#, "'splits' must be a list"),
        (#"{"timeout":5000}"#, "'timeout' is none of: timeout_ms"), (#"{"\ud800":1}"#, "'?' is none of"),
    ])
    func aWrongHeaderIsRefusedWithItsMember(header: String, reason: String) throws {
        let error = #expect(throws: FanInError.self) {
            try piece(#"{"troupe-fan-out":[\#(Self.place)],"troupe-fan-in":\#(header)}"#)
        }
        #expect(error?.code == .header)
        #expect(error?.message.hasPrefix("header troupe-fan-in: ") == true)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: [
        ("7", "must be a list, is number"), ("{}", "must be a list"), ("[1]", "the last entry is not"),
        ("[\(place),{}]", "the last entry is not"),
        (#"[{"of":"e","round":0,"index":0,"count":10001}]"#, "a fan-out of 10001 pieces; fan-in takes 10000 at most"),
    ])
    func aWrongFanOutIsRefused(header: String, reason: String) throws {
        let error = #expect(throws: FanInError.self) { try piece(#"{"troupe-fan-out":\#(header)}"#) }
        #expect(error?.code == .header)
        #expect(error?.message.contains("header troupe-fan-out: \(reason)") == true, "\(error?.message ?? "")")
    }

    @Test func aRouteThatIsDoneHasNoFanIn() throws {
        #expect(throws: FanInError.self) { try FanInPiece(fanInEnvelope(current: 3)) }
    }
}
