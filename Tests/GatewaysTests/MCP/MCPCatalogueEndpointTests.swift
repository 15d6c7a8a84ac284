import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("MCP: prompts, resources and tools of the files", .serialized)
struct MCPCatalogueEndpointTests {
    private static let tools = """
        tools:
          - {name: picture, route: [a], result: content}
          - {name: long, route: [a], task: required, result: content}
          - {name: short, route: [a], task: forbidden}
        prompts:
          - name: greet
            description: Greets somebody
            arguments: [{name: name, required: true}, {name: tone, options: [kind, stern]}]
            messages:
              - text: "Greet {name} {tone}"
              - {role: assistant, image: {mimeType: image/png, data: iVBORw==}}
              - resource: "docs://{name}"
        resources:
          - {uri: "docs://hello", name: hello, title: Hello, text: "Hi {there}", mimeType: text/markdown}
          - {uri: "docs://{id}/data", name: data, text: '{"id":"{id}"}', mimeType: application/json}

        """

    @Test("prompts are listed before the gateway's own, and filled in", arguments: ["2025-06-18", "2026-07-28"])
    func prompts(_ version: String) async throws {
        try await withMCP(tools: Self.tools) { gateway, _ in
            let mcp = try await client(gateway, version)
            let prompts = try await mcp.result("prompts/list")["prompts"]?.elements ?? []
            #expect(prompts.map { $0["name"]?.string } == ["greet", "troupe_diagnose"])
            #expect(
                prompts[0]["arguments"]?.description
                    == #"[{"name":"name","required":true},{"name":"tone","required":false}]"#)
            let result = try await mcp.result(
                "prompts/get", #"{"name":"greet","arguments":{"name":"hello","tone":"kind"}}"#)
            #expect(result["description"]?.string == "Greets somebody")
            let messages = result["messages"]?.elements ?? []
            #expect(
                messages.map { $0["content"]?.description } == [
                    #"{"type":"text","text":"Greet hello kind"}"#,
                    #"{"type":"image","data":"iVBORw==","mimeType":"image/png"}"#,
                    #"{"type":"resource","resource":{"uri":"docs://hello","mimeType":"text/markdown","text":"Hi {there}"}}"#,
                ])
            #expect(messages.map { $0["role"]?.string } == ["user", "assistant", "user"])
            let status = version == "2026-07-28" ? 400 : 200
            for (arguments, reason) in [
                ("{}", "'name' is missing"), (#"{"name":1}"#, "'name' must be a string"), ("[]", "must be an object"),
                (#"{"name":"x","tone":"loud"}"#, "must be one of: kind, stern"),
                (#"{"name":"x","other":"y"}"#, "no argument 'other'; its arguments are: name, tone"),
                (#"{"name":"nobody"}"#, "there is no resource 'docs://nobody'"),
            ] {
                let answer = try await mcp.request("prompts/get", #"{"name":"greet","arguments":\#(arguments)}"#)
                #expect(answer.status == status && answer["error"]?["code"]?.integer == -32602)
                #expect(answer["error"]?["message"]?.string?.contains(reason) == true, "\(answer.text)")
            }
            #expect(try await mcp.failure("prompts/list", #"{"cursor":"rubbish"}"#) == [status, -32602])
        }
    }

    @Test("what can be completed is, what isn't known is an error")
    func completion() async throws {
        try await withMCP(tools: Self.tools) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            func values(_ reference: String, _ name: String, _ value: String) async throws -> [String?]? {
                try await mcp.result(
                    "completion/complete",
                    #"{"ref":\#(reference),"argument":{"name":"\#(name)","value":"\#(value)"}}"#)["completion"]?[
                        "values"]?
                    .elements.map(\.string)
            }
            let prompt = #"{"type":"ref/prompt","name":"greet"}"#
            #expect(try await values(prompt, "tone", "s") == ["stern"])
            #expect(try await values(prompt, "name", "s") == [])
            #expect(try await values(#"{"type":"ref/resource","uri":"docs://{id}/data"}"#, "id", "1") == [])
            #expect(
                try await gateway.client.post("/envelopes", #"{"id":"e1","route":{"actors":["a"]},"payload":1}"#).status
                    == 202)
            #expect(
                try await values(#"{"type":"ref/resource","uri":"troupe://envelopes/{id}/history"}"#, "id", "e") == [
                    "e1"
                ])
            for (reference, name) in [
                (prompt, "other"), (#"{"type":"ref/prompt","name":"nobody"}"#, "x"),
                (#"{"type":"ref/resource","uri":"docs://hello"}"#, "id"), ("1", "x"),
            ] {
                let params = #"{"ref":\#(reference),"argument":{"name":"\#(name)","value":""}}"#
                #expect(try await mcp.failure("completion/complete", params) == [200, -32602], "\(params)")
            }
        }
    }

    @Test("documents are listed before envelopes, page by page, and read", arguments: ["2025-06-18", "2026-07-28"])
    func resources(_ version: String) async throws {
        let many = (0..<70).map { "  - {uri: 'many://\($0)', text: '\($0)'}" }.joined(separator: "\n")
        try await withMCP(tools: Self.tools + many) { gateway, _ in
            let mcp = try await client(gateway, version)
            for number in 0..<40 {
                let body = #"{"id":"e\#(number)","route":{"actors":["a"]},"payload":\#(number)}"#
                #expect(try await gateway.client.post("/envelopes", body).status == 202)
            }
            var uris: [String] = []
            var sizes: [Int] = []
            var params = "{}"
            repeat {
                let page = try await mcp.result("resources/list", params)
                let listed = page["resources"]?.elements ?? []
                uris += listed.compactMap { $0["uri"]?.string }
                sizes.append(listed.count)
                params = page["nextCursor"]?.string.map { #"{"cursor":"\#($0)"}"# } ?? "{}"
            } while params != "{}"
            #expect(sizes == [50, 50, 11])
            #expect(
                uris == ["docs://hello"] + (0..<70).map { "many://\($0)" }
                    + (0..<40).reversed().map { "troupe://envelopes/e\($0)" })
            let templates = try await mcp.result("resources/templates/list")["resourceTemplates"]?.elements ?? []
            #expect(
                templates.map { $0["uriTemplate"]?.string } == [
                    "docs://{id}/data", "troupe://envelopes/{id}", "troupe://envelopes/{id}/history",
                ])
            func read(_ uri: String) async throws -> String? {
                try await mcp.result("resources/read", #"{"uri":"\#(uri)"}"#)["contents"]?.description
            }
            #expect(
                try await read("docs://hello")
                    == #"[{"uri":"docs://hello","mimeType":"text/markdown","text":"Hi {there}"}]"#)
            #expect(
                try await read("docs://a%22b/data")
                    == #"[{"uri":"docs://a%22b/data","mimeType":"application/json","text":"{\"id\":\"a\\\"b\"}"}]"#)
            let unknown = try await mcp.request("resources/read", #"{"uri":"docs://nothing"}"#)
            #expect(unknown["error"]?["code"]?.integer == (version == "2026-07-28" ? -32602 : -32002))
            #expect(unknown["error"]?["data"]?["uri"]?.string == "docs://nothing")
        }
    }

    @Test("changed files are told of: lists to all, a document to those who have subscribed to it")
    func changes() async throws {
        try await withMCP(tools: Self.tools) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            _ = try await mcp.result("resources/subscribe", #"{"uri":"docs://hello"}"#)
            #expect(try await mcp.failure("resources/subscribe", #"{"uri":"docs://nothing"}"#) == [200, -32002])
            #expect(try await mcp.failure("resources/unsubscribe", #"{"uri":"docs://nothing"}"#) == [200, -32002])
            let stream = try await mcp.listen()
            var events = stream.events.makeAsyncIterator()
            func next() async throws -> String {
                while let event = await events.next() {
                    if let method = event["method"]?.string {
                        return method + " " + (event["params"]?["uri"]?.string ?? "")
                    }
                }
                throw CancellationError()
            }
            func write(_ text: String) throws { try Data(text.utf8).write(to: MCPFiles.tools) }
            try write(Self.tools.replacing("Hi {there}", with: "Hello"))
            #expect(try await next() == "notifications/resources/updated docs://hello")
            try write(Self.tools.replacing("Hi {there}", with: "Hello").replacing("Greets somebody", with: "Greets"))
            #expect(try await next() == "notifications/prompts/list_changed ")
            try write(Self.tools.replacing("title: Hello, text: \"Hi {there}\"", with: "text: x"))
            #expect(try await next() == "notifications/prompts/list_changed ")
            #expect(try await next() == "notifications/resources/list_changed ")
            #expect(try await next() == "notifications/resources/updated docs://hello")

            let stateless = MCPTestClient.stateless(gateway.client)
            let listening = try await stateless.stream(
                "subscriptions/listen",
                #"{"notifications":{"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["docs://5/data","x://y"]}}"#
            )
            var news = listening.events.makeAsyncIterator()
            func nextNews() async throws -> RawJSON? {
                while let event = await news.next() { if event["method"] != nil { return event["params"] } }
                throw CancellationError()
            }
            #expect(
                try await nextNews()?["notifications"]?.description
                    == #"{"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["docs://5/data"]}"#
            )
            try write(
                Self.tools.replacing(#"{"id":"{id}"}"#, with: #"{"no":"{id}"}"#).replacing(
                    "title: Hello, text: \"Hi {there}\"", with: "text: x"))
            #expect(try await nextNews()?["uri"]?.string == "docs://5/data")
        }
    }

    @Test("a handler's own content reaches the caller as it is, also as a task's result")
    func content() async throws {
        try await withMCP(tools: Self.tools) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let image = #"{"type":"image","data":"iVBORw==","mimeType":"image/png"}"#
            async let good = mcp.result("tools/call", #"{"name":"picture"}"#)
            try await gateway.finish(gateway.lastSubmitted(), #"{"content":[\#(image)]}"#)
            #expect(try await good["content"]?.description == "[\(image)]")
            #expect(try await good["isError"] == nil)
            async let bad = mcp.result("tools/call", #"{"name":"picture"}"#)
            try await gateway.finish(gateway.lastSubmitted(after: 1), #"{"content":[{"type":"image"}]}"#)
            #expect(try await bad["isError"]?.boolean == true)
            #expect(try await bad["content"]?.elements.first?["text"]?.string?.contains("/content/0/data") == true)

            let created = try await mcp.result("tools/call", #"{"name":"picture","task":{}}"#)
            let id = try #require(created["task"]?["taskId"]?.string)
            try await gateway.finish(id, #"{"content":[\#(image)],"isError":true}"#)
            #expect(try await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)["status"]?.string == "failed")
            let result = try await mcp.result("tasks/result", #"{"taskId":"\#(id)"}"#)
            #expect(result["content"]?.description == "[\(image)]" && result["isError"]?.boolean == true)

            var stateless = MCPTestClient.stateless(gateway.client)
            stateless.knowsTasks = true
            let task = try #require(await stateless.result("tools/call", #"{"name":"long"}"#)["taskId"]?.string)
            try await gateway.finish(task, #"{"content":[\#(image)],"isError":true}"#)
            let ended = try await stateless.result("tasks/get", #"{"taskId":"\#(task)"}"#)
            #expect(ended["status"]?.string == "completed", "failed is for protocol errors since 2026-07-28")
            #expect(ended["result"]?["content"]?.description == "[\(image)]")
            #expect(ended["result"]?["isError"]?.boolean == true)
        }
    }

    @Test("a tool may ask to be a task, or not to be one")
    func taskSupport() async throws {
        try await withMCP(tools: Self.tools, configure: { $0.mcp.taskAfter = .milliseconds(50) }) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let listed = try await mcp.result("tools/list")["tools"]?.elements ?? []
            #expect(
                listed.prefix(3).map { $0["execution"]?["taskSupport"]?.string } == [
                    "optional", "required", "forbidden",
                ])
            #expect(try await mcp.failure("tools/call", #"{"name":"long"}"#) == [200, -32601])
            #expect(try await mcp.failure("tools/call", #"{"name":"short","task":{}}"#) == [200, -32601])
            #expect(try await mcp.result("tools/call", #"{"name":"long","task":{}}"#)["task"] != nil)

            var stateless = MCPTestClient.stateless(gateway.client)
            let refused = try await stateless.request("tools/call", #"{"name":"long"}"#)
            #expect(refused.status == 400)
            #expect(refused["error"]?["code"]?.integer == -32021)
            #expect(
                refused["error"]?["data"]?["requiredCapabilities"]?["extensions"]?["io.modelcontextprotocol/tasks"]
                    != nil)
            #expect(gateway.transport.published.count == 1, "nothing is submitted for it")
            stateless.knowsTasks = true
            #expect(try await stateless.result("tools/call", #"{"name":"long"}"#)["resultType"]?.string == "task")
            async let short = stateless.result("tools/call", #"{"name":"short"}"#)
            let id = try await gateway.lastSubmitted(after: 2)
            try await Task.sleep(for: .milliseconds(200))
            try await gateway.finish(id, "1")
            #expect(try await short["resultType"]?.string == "complete")
        }
    }

    private func client(_ gateway: TestGateway, _ version: String) async throws -> MCPTestClient {
        version == "2026-07-28"
            ? MCPTestClient.stateless(gateway.client) : try await MCPTestClient.open(gateway.client, version)
    }
}
