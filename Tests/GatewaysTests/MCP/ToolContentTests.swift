import Envelopes
import Testing

@testable import Gateways

@Suite("MCP: content of handlers")
struct ToolContentTests {
    private func read(_ text: String) throws -> ToolContent { try ToolContent(RawJSON(Array(text.utf8))) }

    @Test("blocks of every kind pass as they are")
    func good() throws {
        let blocks = [
            #"{"type":"text","text":"\u00e4", "annotations":{"audience":["user"],"priority":0.5},"_meta":{"a":1}}"#,
            #"{"type":"image","data":"iVBORw==","mimeType":"image/png"}"#,
            #"{"type":"audio","data":"","mimeType":"audio/wav"}"#,
            #"{"type":"resource","resource":{"uri":"a://b","text":"x"}}"#,
            #"{"type":"resource","resource":{"uri":"a://b","blob":"AA==","mimeType":"x/y"}}"#,
            #"{"type":"resource_link","uri":"a://b","name":"n","size":3,"description":"d"}"#,
        ]
        let content = try read(
            #"{"content":[\#(blocks.joined(separator: ","))],"structuredContent":{"n":1.0},"isError":true}"#)
        #expect(content.blocks.map(\.description) == blocks)
        #expect(content.structured?.description == #"{"n":1.0}"#)
        #expect(content.isError)
        #expect(try read(#"{"content":[]}"#).blocks.isEmpty)
    }

    @Test(
        "mistakes are named with their place",
        arguments: [
            ("[]", "must be an object with 'content'"), ("{}", "'content' is missing"),
            (#"{"content":{}}"#, "/content: must be an array"),
            (#"{"content":[],"more":1}"#, "'more' is none of: content, structuredContent, isError"),
            (#"{"content":[],"isError":"yes"}"#, "/isError: must be true or false"),
            (#"{"content":["x"]}"#, "/content/0: must be an object"),
            (#"{"content":[{"type":"video"}]}"#, "/content/0/type: must be one of: text, image"),
            (#"{"content":[{"text":"x"}]}"#, "/content/0/type: must be"),
            (#"{"content":[{"type":"text","text":1}]}"#, "/content/0/text: must be a string"),
            (
                #"{"content":[{"type":"text","text":"x"},{"type":"image","data":"?","mimeType":"a/b"}]}"#,
                "/content/1/data: must be base64"
            ),
            (#"{"content":[{"type":"image","data":"AA==\n","mimeType":"a/b"}]}"#, "/content/0/data: must be base64"),
            (#"{"content":[{"type":"image","data":"AA=="}]}"#, "/content/0/mimeType: must be a string"),
            (#"{"content":[{"type":"resource"}]}"#, "/content/0/resource: must be an object"),
            (#"{"content":[{"type":"resource","resource":{"uri":"a:b"}}]}"#, "/content/0/resource: must have either"),
            (
                #"{"content":[{"type":"resource","resource":{"uri":"a:b","text":"x","blob":"AA=="}}]}"#,
                "must have either"
            ),
            (#"{"content":[{"type":"resource_link","uri":"a:b"}]}"#, "/content/0/name: must be a string"),
            (
                #"{"content":[{"type":"resource_link","uri":"a:b","name":"n","size":1.5}]}"#,
                "/content/0/size: must be an integer"
            ),
            (#"{"content":[{"type":"text","text":"x","_meta":1}]}"#, "/content/0/_meta: must be an object"),
            (
                #"{"content":[{"type":"text","text":"x","annotations":{"audience":["me"]}}]}"#,
                "/content/0/annotations/audience"
            ),
            (
                #"{"content":[{"type":"text","text":"x","annotations":{"priority":2}}]}"#,
                "/content/0/annotations/priority"
            ),
        ])
    func bad(_ text: String, _ message: String) throws {
        let problem = #expect(throws: ToolContent.Problem.self) { try read(text) }
        #expect(problem?.description.contains(message) == true, "\(String(describing: problem))")
    }

    private func result(_ json: String, _ tool: String) throws -> ToolResult {
        let tool = try ToolCatalogue.parse("tools: [{name: t, route: [a], \(tool)}]").tools.first
        return ToolResult(
            envelopeID: "e", status: .succeeded, result: Array(json.utf8), error: nil, message: "", tool: tool)
    }

    @Test("a tool says what its result is; one that isn't that is an error, never a bad block")
    func forms() throws {
        let content = #"{"content":[{"type":"image","data":"AA==","mimeType":"image/png"}]}"#
        #expect(try result(content, "result: content").blocks.first?["type"]?.string == "image")
        #expect(try result(content, "result: json").blocks.first?["text"]?.string == content)
        let bad = try result(#"{"sum":1}"#, "result: content")
        #expect(bad.isError && bad.structured == nil)
        #expect(bad.blocks.first?["text"]?.string?.hasPrefix("the result is no MCP content: 'sum'") == true)

        let schema = "result: content, outputSchema: {type: object, required: [n]}"
        #expect(try result(content, schema).isError, "structuredContent is missing")
        #expect(try result(#"{"content":[],"structuredContent":{}}"#, schema).isError)
        #expect(try !result(#"{"content":[],"structuredContent":{"n":1}}"#, schema).isError)
        let failed = try result(#"{"content":[{"type":"text","text":"no"}],"isError":true}"#, schema)
        #expect(failed.isError && failed.blocks.first?["text"]?.string == "no", "an error has no shape to keep to")
    }

    @Test("2025-03-26 gets a link as text")
    func links() throws {
        let link = #"{"content":[{"type":"resource_link","uri":"a://b","name":"n"}]}"#
        let result = try result(link, "result: content")
        #expect(
            result.result(.march2025).json(.march2025)["content"]?.description == #"[{"type":"text","text":"a://b"}]"#)
        #expect(result.result(.june2025).json(.june2025)["content"]?.elements.first?["type"]?.string == "resource_link")
    }
}
