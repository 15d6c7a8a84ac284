import Envelopes
import Testing

struct EnvelopeTests {
    private func parse(_ text: String) throws(EnvelopeError) -> Envelope { try Envelope(parsing: Array(text.utf8)) }

    @Test func readsAllFields() throws {
        let envelope = try parse(
            #"{"id":"a-1","parent_id":"a","route":{"actors":["x","y"],"current":1},"headers":{"h":1},"#
                + #""payload":{"p":[]}}"#
        )
        #expect(envelope.id == "a-1")
        #expect(envelope.parentID == "a")
        #expect(envelope.route == Route(actors: ["x", "y"], current: 1))
        #expect(envelope.route.currentActor == "y")
        #expect(envelope.headers["h"]?.integer == 1)
        #expect(envelope.payload.description == #"{"p":[]}"#)
        #expect(envelope.unknown.isEmpty)
    }

    @Test func fillsInWhatMayBeMissing() throws {
        let envelope = try parse(#"{"id":"a","route":{"actors":["x"]},"payload":null,"headers":null,"parent_id":null}"#)
        #expect(envelope.route.current == 0)
        #expect(envelope.parentID == nil)
        #expect(envelope.headers.json == nil)
        #expect(envelope.payload == .null)
        #expect(
            envelope.encoded().elementsEqual(#"{"id":"a","route":{"actors":["x"],"current":0},"payload":null}"#.utf8))
    }

    @Test func carriesUnknownMembersOn() throws {
        let envelope = try parse(
            #"{"deadline" : "2026", "x":1, "id":"a", "route":{"metadata" : {"job_id": 7}, "actors":["x"], "#
                + #""x":1,"x":2}, "#
                + #""payload":{}, "\u00e4":[ ], "x":2}"#)
        #expect(
            String(decoding: envelope.encoded(), as: UTF8.self)
                == #"{"id":"a","route":{"actors":["x"],"current":0,"metadata":{"job_id": 7},"x":1,"x":2},"payload":{},"#
                + #""deadline":"2026","x":1,"\u00e4":[ ],"x":2}"#)
    }

    @Test func readsEscapedNamesAndEscapesText() throws {
        let envelope = try parse(
            #"{"\u0069d":"a\"\u0000\n","r\u006fute":{"\u0061ctors":["b\\c"],"curren\u0074":1},"payloa\u0064":1}"#)
        #expect(envelope.id == "a\"\u{0}\n")
        #expect(envelope.route == Route(actors: ["b\\c"], current: 1))
        #expect(
            String(decoding: envelope.encoded(), as: UTF8.self)
                == #"{"id":"a\"\u0000\n","route":{"actors":["b\\c"],"current":1},"payload":1}"#)
        #expect(try Envelope(parsing: envelope.encoded()) == envelope)
    }

    @Test func routeMayPointAnywhere() throws {
        for (current, actor) in [(-1, nil), (0, "x"), (1, nil), (99, nil)] as [(Int, String?)] {
            let envelope = try parse(#"{"id":"a","route":{"actors":["x"],"current":\#(current)},"payload":1}"#)
            #expect(envelope.route.current == current)
            #expect(envelope.route.currentActor == actor)
        }
    }

    struct Refusal: CustomTestStringConvertible {
        var text: String
        var code: EnvelopeError.Code
        var message: String
        var testDescription: String { text }
        init(_ text: String, _ code: EnvelopeError.Code, _ message: String) {
            (self.text, self.code, self.message) = (text, code, message)
        }
    }

    @Test(arguments: [
        Refusal("[]", .notAnObject, "An envelope must be a JSON object"),
        Refusal("  null", .notAnObject, "An envelope must be a JSON object"),
        Refusal("\"{}\"", .notAnObject, "An envelope must be a JSON object"),
        Refusal("{}", .missingID, "Envelope missing required 'id' field"),
        Refusal(#"{"id":7}"#, .invalidID, "Field 'id' must be a non-empty string, is 7"),
        Refusal(#"{"id":null}"#, .invalidID, "Field 'id' must be a non-empty string, is null"),
        Refusal(#"{"id":{}}"#, .invalidID, "Field 'id' must be a non-empty string, is object"),
        Refusal(#"{"id":""}"#, .invalidID, "Field 'id' must be a non-empty string, is an empty string"),
        Refusal(
            #"{"id":"\ud800"}"#, .invalidID,
            "Field 'id' must be a non-empty string, is a string with half a surrogate pair"),
        Refusal(#"{"id":"a","parent_id":1}"#, .invalidID, "Field 'parent_id' must be a string, is 1"),
        Refusal(#"{"id":"a"}"#, .invalidRoute, "Missing required field 'route' in envelope"),
        Refusal(#"{"id":"a","route":[]}"#, .invalidRoute, "Field 'route' must be an object, is array"),
        Refusal(#"{"id":"a","route":{}}"#, .invalidRoute, "Missing required field 'route.actors'"),
        Refusal(#"{"id":"a","route":{"actors":"x"}}"#, .invalidRoute, "Field 'route.actors' must be a list, is string"),
        Refusal(#"{"id":"a","route":{"actors":[]}}"#, .invalidRoute, "Field 'route.actors' cannot be empty"),
        Refusal(
            #"{"id":"a","route":{"actors":["x",3]}}"#, .invalidRoute,
            "Field 'route.actors[1]' must be a non-empty string, is 3"),
        Refusal(
            #"{"id":"a","route":{"actors":[""]}}"#, .invalidRoute,
            "Field 'route.actors[0]' must be a non-empty string, is an empty string"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"],"current":"0"}}"#, .invalidRoute,
            "Field 'route.current' must be an integer, is string"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"],"current":1.5}}"#, .invalidRoute,
            "Field 'route.current' must be an integer, is 1.5"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"],"current":99999999999999999999}}"#, .invalidRoute,
            "Field 'route.current' must be an integer, is 99999999999999999999"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"]}}"#, .missingPayload, "Missing required field 'payload' in envelope"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"]},"payload":1,"headers":[]}"#, .invalidHeaders,
            "Field 'headers' must be a dict"),
        Refusal(#"{"id":"a","id":"a"}"#, .duplicateMember, "Field 'id' stands twice in the envelope"),
        Refusal(#"{"payload":1,"\u0070ayload":1}"#, .duplicateMember, "Field 'payload' stands twice in the envelope"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"],"actors":["x"]}}"#, .duplicateMember,
            "Field 'route.actors' stands twice in the envelope"),
        Refusal(
            #"{"id":"a","route":{"actors":["x"],"current":0,"current":0}}"#, .duplicateMember,
            "Field 'route.current' stands twice in the envelope"),
    ])
    func saysWhatIsWrong(refusal: Refusal) {
        let error = #expect(throws: EnvelopeError.self) { try parse(refusal.text) }
        #expect(error?.code == refusal.code)
        #expect(error?.description == refusal.message)
    }

    @Test func saysWhereTheJSONBreaks() {
        let error = #expect(throws: EnvelopeError.self) { try parse("{\"id\":\"a\",\n\"payload\":tru}") }
        #expect(error?.description == "expected 'true' at line 2, column 11 (byte 21)")
        guard case .notJSON(let reason) = error?.code else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(reason.code == .invalid)
    }

    @Test(arguments: [1, 2, 3, 512])
    func theEnvelopeIsOneLevelOfNesting(limit: Int) throws {
        func message(levelsOfPayload: Int) -> [UInt8] {
            let payload =
                String(repeating: "[", count: levelsOfPayload) + "1" + String(repeating: "]", count: levelsOfPayload)
            return Array(#"{"id":"a","payload":\#(payload),"x":1}"#.utf8)
        }
        let limits = JSONLimits(nesting: limit)
        let fits = #expect(throws: EnvelopeError.self) {
            try Envelope(parsing: message(levelsOfPayload: limit - 1), limits: limits)
        }
        #expect(fits?.code == .invalidRoute, "as JSON it passes")
        let error = #expect(throws: EnvelopeError.self) {
            try Envelope(parsing: message(levelsOfPayload: limit), limits: limits)
        }
        guard case .notJSON(let reason) = error?.code else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(reason.code == .tooDeep)
        #expect(reason.message == "more than \(limit) levels of nesting")
    }

    @Test func holdsToTheSizeLimit() {
        let message = Array(#"{"id":"a","route":{"actors":["x"]},"payload":"0123456789"}"#.utf8)
        #expect(throws: Never.self) { try Envelope(parsing: message, limits: JSONLimits(size: message.count)) }
        let error = #expect(throws: EnvelopeError.self) {
            try Envelope(parsing: message, limits: JSONLimits(size: message.count - 1))
        }
        guard case .notJSON(let reason) = error?.code else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(reason.code == .tooLarge)
    }
}
