import Envelopes
import Testing

struct StatusReportTests {
    @Test func comesBackAsItWent() throws {
        var full = StatusReport(
            kind: .final, eventID: "e-1:2:final", envelopeID: "e-1", parentID: "e", status: "failed",
            actors: ["a", "b\""],
            currentActorIndex: 1, currentActorName: "b\"", message: "no\nway", durationMilliseconds: 12,
            messageSizeKilobytes: 0.21, result: try RawJSON(Array(#"{"n":1e400, "k":[ ]}"#.utf8)), error: "timeout",
            errorDetails: try RawJSON(Array(#"["\ud800"]"#.utf8)), timestamp: "2026-01-02T03:04:05.000006Z")
        full.replays = 2
        full.loops = 7
        full.call = "0123456789abcdef"
        full.events = [
            EmittedEvent(type: "token", data: RawJSON(string: "\"é\n"), at: "2026-01-02T03:04:05.000001Z"),
            EmittedEvent(type: "\u{1}", data: try RawJSON(Array(#"[1e400,"\ud800"]"#.utf8)), at: "then"),
        ]
        #expect(try StatusReport(parsing: full.encoded()) == full)
        for kind in StatusReport.Kind.allCases {
            let bare = StatusReport(
                kind: kind, eventID: "x", envelopeID: "e", status: "pending", actors: [], currentActorIndex: 0)
            #expect(try StatusReport(parsing: bare.encoded()) == bare)
        }
    }

    @Test func readsABodyOfTheEndpoints() throws {
        let body =
            #"{"actors":["a"],"current_actor_idx":1.0,"status":"processing","duration_ms":3.6,"#
            + #""message_size_kb":2,"x":{}}"#
        let report = try StatusReport(parsing: Array(body.utf8), kind: .progress, envelopeID: "e")
        #expect(report.kind == .progress)
        #expect(report.envelopeID == "e")
        #expect(report.currentActorIndex == 1)
        #expect(report.durationMilliseconds == 4)
        #expect(report.messageSizeKilobytes == 2)
        #expect(!report.timestamp.isEmpty)
    }

    @Test func writesTheMembersOfTheProtocol() throws {
        let report = StatusReport(
            kind: .progress, eventID: "v", envelopeID: "e", status: "received", actors: ["a"], currentActorIndex: 0,
            message: "Received message (0.21 KB)", durationMilliseconds: 0, messageSizeKilobytes: 0.21, timestamp: "t")
        #expect(
            String(decoding: report.encoded(), as: UTF8.self)
                == #"{"kind":"progress","event_id":"v","id":"e","status":"received","actors":["a"],"#
                + #""current_actor_idx":0,"#
                + #""message":"Received message (0.21 KB)","duration_ms":0,"message_size_kb":0.21,"timestamp":"t"}"#)
    }

    @Test(arguments: [
        ("", "expected a value, but the text ends at line 1, column 1 (byte 0)"),
        ("[]", "a status report must be an object, is array"),
        ("{}", "missing 'kind'"),
        (#"{"kind":null}"#, "missing 'kind'"),
        (#"{"kind":"finale"}"#, "unknown kind 'finale'"),
        (#"{"kind":1}"#, "'kind' must be a string, is 1"),
        (#"{"kind":"final"}"#, "missing 'id'"),
        (#"{"kind":"final","id":"\ud800"}"#, "'id' must be a string, is a string with half a surrogate pair"),
        (#"{"kind":"final","id":"e"}"#, "missing 'status'"),
        (#"{"kind":"final","id":"e","status":[]}"#, "'status' must be a string, is array"),
        (#"{"kind":"final","id":"e","status":"s","actors":{}}"#, "'actors' must be a list, is object"),
        (#"{"kind":"final","id":"e","status":"s","actors":[1]}"#, "'actors' must hold strings"),
        (
            #"{"kind":"final","id":"e","status":"s","current_actor_idx":"1"}"#,
            "'current_actor_idx' must be a number, is string"
        ),
        (
            #"{"kind":"final","id":"e","status":"s","current_actor_idx":1.5}"#,
            "'current_actor_idx' must be a whole number, is 1.5"
        ),
        (
            #"{"kind":"final","id":"e","status":"s","current_actor_idx":1e300}"#,
            "'current_actor_idx' must be a whole number, is 1e300"
        ),
        (#"{"kind":"final","id":"e","status":"s","duration_ms":1e400}"#, "'duration_ms' must be a number, is 1e400"),
        (
            #"{"kind":"final","id":"e","status":"s","duration_ms":1e30}"#,
            "'duration_ms' must be a whole number, is 1e30"
        ),
        (
            #"{"kind":"final","id":"e","status":"s","message_size_kb":true}"#,
            "'message_size_kb' must be a number, is true"
        ),
        (#"{"kind":"emitted","id":"e","status":"s","events":{}}"#, "'events' must be a list, is object"),
        (
            #"{"kind":"emitted","id":"e","status":"s","events":[{"type":""}]}"#,
            "'events' must hold objects with a 'type' of 1 to 100 bytes"
        ),
    ])
    func namesTheMemberThatIsWrong(body: String, message: String) {
        let error = #expect(throws: StatusReportError.self) { try StatusReport(parsing: Array(body.utf8)) }
        #expect(error?.description == message)
    }
}
