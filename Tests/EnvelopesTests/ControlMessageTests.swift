import Envelopes
import Testing

struct ControlMessageTests {
    @Test(arguments: [[], ["e"], ["a\"b", "ü", "\u{0}"]] as [[String]])
    func readsWhatItHasWritten(ids: [String]) throws {
        #expect(try ControlMessage.parsing(ControlMessage.cancel(ids).encoded()) == .cancel(ids))
        #expect(try ControlMessage.parsing(ControlMessage.uncancel(ids).encoded()) == .uncancel(ids))
        let request = ControlRequest(actor: "a", inbox: ids.first ?? "i")
        #expect(try ControlRequest(parsing: request.encoded()) == request)
    }

    @Test(arguments: [
        [], [ActorPause(actor: "a\"b", isPaused: true, decidedAt: 1_763_000_000_123_456)],
        [
            ActorPause(actor: "a", isPaused: false, decidedAt: 0),
            ActorPause(actor: "ü", isPaused: true, decidedAt: 1_763_000_000_000_000),
        ],
    ])
    func readsPausesToTheMicrosecond(pauses: [ActorPause]) throws {
        #expect(try ControlMessage.parsing(ControlMessage.pauses(pauses).encoded()) == .pauses(pauses))
    }

    @Test func aKindThatIsNotKnownIsNoError() throws {
        #expect(try ControlMessage.parsing(Array(#"{"type":"dance"}"#.utf8)) == nil)
    }

    @Test(arguments: [
        "", "[]", "{", #"{"type":"cancel"}"#, #"{"type":"cancel","ids":"e"}"#,
        #"{"type":"pauses","actors":{}}"#, #"{"type":"pauses","actors":[{"name":"a","paused":1}]}"#,
        #"{"type":"pauses","actors":[{"name":"a","paused":true,"decided_at":"soon"}]}"#,
    ])
    func whatIsNoneSaysWhy(body: String) {
        #expect(throws: ControlError.self) { _ = try ControlMessage.parsing(Array(body.utf8)) }
        #expect(throws: ControlError.self) { _ = try ControlRequest(parsing: Array(body.utf8)) }
    }
}
