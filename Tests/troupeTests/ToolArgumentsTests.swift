import Envelopes
import Gateways
import Testing

@testable import troupe

@Suite("A tool's arguments from words")
struct ToolArgumentsTests {
    private func tool(_ schema: String) throws -> ToolSchema {
        ToolSchema(json: try RawJSON(Array(#"{"name":"t","inputSchema":\#(schema)}"#.utf8)))
    }

    private func arguments(_ words: [String], _ schema: String) throws -> String {
        let reader = ToolArguments(tool: try tool(schema)) { path in
            guard path == "there.json" else { throw CommandFailure("'\(path)' can't be read", .notFound) }
            return Array(#"{"a": [1.50, 1e400]}"#.utf8)
        }
        return try reader.arguments(words).description
    }

    private func mistakes(_ words: [String], _ schema: String) throws -> [String] {
        try #require(throws: ToolArguments.Mistakes.self) { try arguments(words, schema) }.messages
    }

    private static let schema = """
        {"type":"object","required":["text"],"properties":{"text":{"type":"string"},"count":{"type":"integer"},"size":{"type":"number"},
        "exact":{"type":"boolean"},"color":{"type":"string","enum":["red","green"]},"level":{"enum":[1,2,null]},
        "tags":{"type":"array","items":{"type":"string"}},"sizes":{"type":"array","items":{"type":"integer"}},
        "box":{"type":"object"},"any":{},"either":{"type":["string","integer","null"]}}}
        """

    @Test(
        "each type, no digit lost",
        arguments: [
            (["text=5"], #"{"text":"5"}"#), (["text="], #"{"text":""}"#), (["text=a=b"], #"{"text":"a=b"}"#),
            (["text=日本 \"x\""], #"{"text":"日本 \"x\""}"#),
            (["text=a", "count=12345678901234567890"], #"{"text":"a","count":12345678901234567890}"#),
            (["text=a", "size=1.50"], #"{"text":"a","size":1.50}"#),
            (["text=a", "exact=Yes"], #"{"text":"a","exact":true}"#),
            (["text=a", "exact=0"], #"{"text":"a","exact":false}"#),
            (["text=a", "color=green"], #"{"text":"a","color":"green"}"#),
            (["text=a", "level=2"], #"{"text":"a","level":2}"#),
            (["text=a", "level=null"], #"{"text":"a","level":null}"#),
            (["text=a", "tags=x,y"], #"{"text":"a","tags":["x","y"]}"#),
            (["text=a", "tags="], #"{"text":"a","tags":[]}"#),
            (["text=a", "tags=x,y", "tags=z"], #"{"text":"a","tags":["x,y","z"]}"#),
            (["text=a", #"tags=["x,y"]"#], #"{"text":"a","tags":["x,y"]}"#),
            (["text=a", "sizes=1,2"], #"{"text":"a","sizes":[1,2]}"#),
            (["text=a", #"box={"w": 1}"#], #"{"text":"a","box":{"w": 1}}"#),
            (["text=a", "box=@there.json"], #"{"text":"a","box":{"a": [1.50, 1e400]}}"#),
            (["text=a", "any=[1]"], #"{"text":"a","any":[1]}"#), (["text=a", "any=x y"], #"{"text":"a","any":"x y"}"#),
            (["text=a", "either=7"], #"{"text":"a","either":7}"#),
            (["text=a", "either=seven"], #"{"text":"a","either":"seven"}"#),
            (["text=a", "either=null"], #"{"text":"a","either":null}"#),
        ])
    func types(_ words: [String], _ json: String) throws {
        #expect(try arguments(words, Self.schema) == json)
    }

    @Test(
        "all mistakes at once, each with what would be right",
        arguments: [
            ([], ["text is missing: string"]),
            (["text"], ["'text' has no '=': name=value is expected", "text is missing: string"]),
            (["txet=a"], ["there is no argument 'txet'; did you mean 'text'?"]),
            (
                ["text=a", "count=1.0", "size=x"],
                ["count: '1.0' is no integer, like 42", "size: 'x' is no number, like 1.5"]
            ),
            (["text=a", "exact=perhaps"], ["exact: 'perhaps' is neither true nor false"]),
            (["text=a", "color=gren"], ["color: 'gren' is none of: red, green; did you mean 'green'?"]),
            (["text=a", "text=b"], ["text: stands 2 times, but is no list: string"]),
            (["text=a", "sizes=1,x"], ["sizes: 'x' is no integer, like 42"]),
            (["text=a", "box=[1]"], ["box: '[1]' is of type array, not object"]),
            (["text=a", "box=@gone.json"], ["box: 'gone.json' can't be read"]),
        ])
    func mistakesAreExplained(_ words: [String], _ messages: [String]) throws {
        #expect(try mistakes(words, Self.schema) == messages)
    }

    @Test("a schema that takes others takes them, one that has none takes all")
    func others() throws {
        #expect(try mistakes(["zzz=1"], #"{"properties":{"a":{}}}"#) == ["there is no argument 'zzz'; it takes: a"])
        #expect(
            try arguments(["zzz=1"], #"{"properties":{"a":{}},"additionalProperties":{"type":"integer"}}"#)
                == #"{"zzz":1}"#)
        #expect(try arguments(["x=1", "x=b"], "{}") == #"{"x":[1,"b"]}"#)
    }

    @Test("the whole schema counts, where it can be checked here")
    func wholeSchema() throws {
        let schema = #"{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":9}}}"#
        #expect(try mistakes(["n=12"], schema) == ["n: must be 9.0 or below"])
        #expect(try arguments(["n=12"], schema.replacing("minimum", with: "unknownKeyword")) == #"{"n":12}"#)
    }

    @Test("arguments that come as JSON")
    func json() throws {
        func check(_ json: String, _ schema: String = Self.schema) throws {
            try ToolArguments(tool: tool(schema)) { _ in [] }.check(RawJSON(Array(json.utf8)))
        }
        try check(#"{"text":"a","passes":"through"}"#)
        for (json, words) in [
            ("[]", "must be a JSON object"), ("{}", "text is missing"), (#"{"txt":"a"}"#, "did you mean 'text'?"),
            (#"{"text":5}"#, "text: must be of type string"),
        ] {
            let mistakes = try #require(throws: ToolArguments.Mistakes.self) { try check(json) }
            #expect(mistakes.messages.joined().contains(words), "\(mistakes)")
        }
    }

    @Test(
        "slips of the fingers",
        arguments: [
            ("lenght", "length"), ("colour", "color"), ("URL", "url"), ("txt", "text"), ("resise", "resize"),
            ("sumary", "summary"),
        ])
    func closest(_ word: String, _ name: String) {
        let names = ["length", "color", "url", "text", "resize", "summary", "n"]
        #expect(Suggestion.nearest(to: word, among: names) == name)
    }

    @Test("what is far off, or too short, is no slip", arguments: ["x", "m", "zzz", "completely", ""])
    func notClose(_ word: String) {
        #expect(Suggestion.nearest(to: word, among: ["length", "color", "url", "n"]) == nil)
    }
}
