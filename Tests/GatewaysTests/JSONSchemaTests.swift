import Envelopes
import Testing

@testable import Gateways

@Suite("JSON Schema")
struct JSONSchemaTests {
    private func problems(_ schema: String, _ value: String) throws -> [String] {
        let schema = try JSONSchema(RawJSON(Array(schema.utf8)))
        return try schema.problems(with: RawJSON(Array(value.utf8))).map(\.description)
    }

    /// A schema, values that fit, values that don't.
    private static let cases: [(schema: String, good: [String], bad: [String])] = [
        ("true", ["1", "null", "{}"], []),
        ("false", [], ["1", "null"]),
        (#"{"type":"integer"}"#, ["1", "-0", "1.0", "1e3", "12345678901234567890123"], ["1.5", "true", #""1""#]),
        (#"{"type":["string","null"]}"#, [#""a""#, "null"], ["1", "[]"]),
        (#"{"enum":[1,"a",{"x":[1]}]}"#, ["1.0", #""a""#, #""\u0061""#, #"{"x":[1]}"#], ["2", #"{"x":[2]}"#, "null"]),
        (#"{"const":{"a":1,"b":2}}"#, [#"{"b":2,"a":1}"#], [#"{"a":1}"#]),
        (#"{"minimum":1,"exclusiveMaximum":3}"#, ["1", "2.999", #""not a number""#], ["0.5", "3"]),
        (#"{"multipleOf":0.1}"#, ["0", "2"], ["0.25"]),
        (#"{"minLength":2,"maxLength":3}"#, [#""ab""#, #""äöü""#, #""😀😀😀""#], [#""a""#, #""abcd""#]),
        (#"{"pattern":"^[a-z]+$"}"#, [#""abc""#, "1"], [#""aB""#, #""""#]),
        (
            #"{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}"#, [#"["a",1,2]"#, "[]"],
            [#"[1]"#, #"["a","b"]"#]
        ),
        (#"{"minItems":1,"maxItems":2,"uniqueItems":true}"#, ["[1]", "[1,2]"], ["[]", "[1,2,3]", "[1,1.0]"]),
        (#"{"contains":{"const":1},"maxContains":1}"#, ["[1,2]"], ["[2]", "[1,1]"]),
        (
            #"{"properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#, [#"{"a":"x"}"#],
            ["{}", #"{"a":1}"#, #"{"a":"x","b":1}"#]
        ),
        (
            #"{"patternProperties":{"^n_":{"type":"number"}},"additionalProperties":{"type":"string"}}"#,
            [#"{"n_a":1,"b":"x"}"#], [#"{"n_a":"x"}"#, #"{"b":1}"#]
        ),
        (#"{"propertyNames":{"maxLength":1},"minProperties":1}"#, [#"{"a":1}"#], ["{}", #"{"ab":1}"#]),
        (#"{"dependentRequired":{"a":["b"]}}"#, ["{}", #"{"a":1,"b":1}"#], [#"{"a":1}"#]),
        (#"{"allOf":[{"minimum":1},{"maximum":3}]}"#, ["2"], ["0", "4"]),
        (#"{"anyOf":[{"type":"string"},{"minimum":5}]}"#, [#""a""#, "6"], ["4"]),
        (#"{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}"#, ["2", "3"], ["6", "5"]),
        (#"{"not":{"type":"string"}}"#, ["1"], [#""a""#]),
        (
            #"{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}"#,
            [#"{"a":1,"b":1}"#, #"{"c":1}"#], [#"{"a":1}"#, "{}"]
        ),
        (
            ##"{"$defs":{"tree":{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}},"$ref":"#/$defs/tree"}"##,
            [#"{"children":[{"children":[]}]}"#], [#"{"children":[{"children":[1]}]}"#, "[]"]
        ),
        (
            ##"{"properties":{"next":{"$ref":"#"}},"required":["v"]}"##, [#"{"v":1,"next":{"v":2}}"#],
            [#"{"v":1,"next":{}}"#]
        ),
    ]

    @Test("values that fit and values that don't", arguments: cases.indices)
    func check(_ index: Int) throws {
        let (schema, good, bad) = Self.cases[index]
        for value in good { #expect(try problems(schema, value) == [], "\(value)") }
        for value in bad { #expect(try !problems(schema, value).isEmpty, "\(value)") }
    }

    @Test("problems name the place, as a JSON Pointer, and what was expected")
    func places() throws {
        let schema = #"{"type":"object","properties":{"a/b":{"items":{"type":"string"}}},"required":["c"]}"#
        #expect(
            try problems(schema, #"{"a/b":["x",1,true]}"#) == [
                "/a~1b/1: must be of type string, is number", "/a~1b/2: must be of type string, is boolean",
                "'c' is missing",
            ])
        #expect(try problems(schema, "[]") == ["must be of type object, is array"])
    }

    @Test("a schema that leads into itself for ever ends, and so does a huge value")
    func bounds() throws {
        #expect(try !problems(##"{"$ref":"#"}"##, "1").isEmpty)
        let many = "[" + (0..<100_000).map(String.init).joined(separator: ",") + "]"
        #expect(try problems(#"{"items":{"type":"string"}}"#, many).count == 10)
        #expect(try problems(#"{"uniqueItems":true}"#, many).count == 1)
    }

    @Test(
        "what is no schema, or asks for what isn't checked here, is refused with its place",
        arguments: [
            ("1", "a schema must be an object or a boolean, is number"),
            (
                #"{"type":"text"}"#,
                "/type: must be one or several of: null, boolean, object, array, number, string, integer"
            ),
            (#"{"properties":{"a":3}}"#, "/properties/a: a schema must be an object or a boolean, is number"),
            (
                #"{"unevaluatedProperties":false}"#,
                "/unevaluatedProperties: this gateway does not check the keyword 'unevaluatedProperties'"
            ),
            (##"{"$ref":"#/$defs/a"}"##, "/$ref: '#/$defs/a' leads to no schema"),
            (#"{"$ref":"other.json"}"#, ##"/$ref: must lead within this schema, like "#/$defs/name""##),
            (#"{"pattern":"("}"#, "/pattern: is no regular expression"),
            (#"{"minLength":-1}"#, "/minLength: must be a whole number, 0 or above"),
        ])
    func mistakes(_ schema: String, _ problem: String) throws {
        let json = try RawJSON(Array(schema.utf8))
        #expect(throws: JSONSchemaErrors(problems: [])) {
            do throws(JSONSchemaErrors) {
                _ = try JSONSchema(json)
            } catch {
                #expect(error.description == problem)
                throw JSONSchemaErrors(problems: [])
            }
        }
    }

    @Test("a tool takes its arguments by schema, and passes them through as they came")
    func tool() throws {
        let catalogue = try ToolCatalogue.parse(
            """
            tools:
              - name: sum
                title: Sum
                inputSchema: {type: object, properties: {n: {type: array, items: {type: number}}}, required: [n]}
                outputSchema: {type: object, properties: {sum: {type: number}}, required: [sum]}
                route: [a]
            """)
        let tool = try #require(catalogue["sum"])
        let arguments = try RawJSON(Array(#"{"n" : [1.50, 12345678901234567890], "other":1}"#.utf8))
        #expect(try tool.payload(for: arguments) == arguments)
        let problem = #expect(throws: ArgumentProblem.self) {
            _ = try tool.payload(for: RawJSON(Array(#"{"n":[1,"2"]}"#.utf8)))
        }
        #expect(problem?.message == "arguments/n/1: must be of type number, is string")
        #expect(problem?.places == [.init(pointer: "/n/1", message: "must be of type number, is string")])
        #expect(throws: FileErrors.self) {
            _ = try ToolCatalogue.parse("tools: [{name: a, route: [a], parameters: {}, inputSchema: {type: object}}]")
        }
        for properties in [
            "a: {type: number, x-mcp-header: A}", "a: {type: string, x-mcp-header: 'A B'}",
            "a: {type: string, x-mcp-header: A}, b: {type: string, x-mcp-header: a}",
        ] {
            #expect(throws: FileErrors.self) {
                _ = try ToolCatalogue.parse(
                    "tools: [{name: a, route: [a], inputSchema: {type: object, properties: {\(properties)}}}]")
            }
        }
        #expect(throws: FileErrors.self) {
            _ = try ToolCatalogue.parse("tools: [{name: a, route: [a], inputSchema: {type: array}}]")
        }
    }
}
