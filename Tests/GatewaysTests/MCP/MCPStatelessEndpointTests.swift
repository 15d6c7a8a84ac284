import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("MCP without sessions (2026)", .serialized)
struct MCPStatelessEndpointTests {
    @Test("discovery and lists say for how long they hold, and who we are")
    func discovery() async throws {
        try await withMCP { gateway, _ in
            let mcp = MCPTestClient.stateless(gateway.client)
            let found = try await mcp.result("server/discover")
            #expect(found["resultType"]?.string == "complete")
            #expect(found["supportedVersions"]?.description == #"["2026-07-28"]"#)
            #expect(found["capabilities"]?["extensions"]?["io.modelcontextprotocol/tasks"] != nil)
            #expect(found["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"]?.string == "troupe-gateway")
            #expect(found["ttlMs"]?.integer == 3_600_000)
            #expect(found["cacheScope"]?.string == "public")
            let tools = try await mcp.result("tools/list")
            #expect(tools["tools"]?.elements.first?["name"]?.string == "echo")
            #expect(tools["ttlMs"]?.integer == 5000)
            #expect(try await mcp.result("resources/list")["cacheScope"]?.string == "private")
            #expect(try await mcp.result("prompts/list")["ttlMs"] != nil)
            #expect(try await mcp.result("resources/templates/list")["ttlMs"] != nil)
            let answer = try await mcp.request("server/discover")
            #expect(answer.headers["mcp-session-id"] == nil)
        }
    }

    @Test("a call waits and streams what the caller has asked for, without event ids", arguments: StoreKind.allCases)
    func call(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = MCPTestClient.stateless(gateway.client)
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let stream = try await mcp.stream(
                "tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#,
                meta: #""progressToken":7,"io.modelcontextprotocol/logLevel":"error","traceparent":"\#(trace)""#)
            let id = try await gateway.lastSubmitted()
            #expect(gateway.transport.messages(of: id).first?.contains(trace) == true)
            try await gateway.progress(id, 0)
            try await gateway.finish(id, "[1,2]")
            let events = await stream.all()
            #expect(events.allSatisfy { $0.eventID == nil })
            #expect(events.dropLast().allSatisfy { $0["method"]?.string == "notifications/progress" })
            let result = try #require(events.last?["result"])
            #expect(result["resultType"]?.string == "complete")
            #expect(result["content"]?.elements.first?["text"]?.string == "[1,2]")
            #expect(result["structuredContent"]?.description == "[1,2]")
        }
    }

    @Test("to hang up is to cancel", arguments: StoreKind.allCases)
    func hangUp(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = MCPTestClient.stateless(gateway.client)
            let stream = try await mcp.stream("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#)
            let id = try await gateway.lastSubmitted()
            stream.hangUp()
            try await eventually("the envelope is cancelled") {
                try await gateway.client.get("/envelopes/\(id)")["status"]?.string == "cancelled"
            }
        }
    }

    @Test("a gateway that stops cancels nothing: the envelope goes on")
    func stop() async throws {
        try await withDatabase { database in
            let gateway = try await TestGateway.start(database.gateway) { $0.mcp.callTimeout = .seconds(60) }
            var mcp = MCPTestClient.stateless(gateway.client)
            mcp.knowsTasks = true
            let tool = #"{"name":"troupe_submit","arguments":{"route":["a"],"payload":1,"id":"e"}}"#
            _ = try await mcp.result("tools/call", tool)
            let listening = try await mcp.stream("subscriptions/listen", #"{"notifications":{"taskIds":["e"]}}"#)
            for await event in listening.events where event["method"] != nil { break }
            try await gateway.stop()
            let last = await listening.all().last
            #expect(last?["result"]?["_meta"]?["io.modelcontextprotocol/subscriptionId"]?.integer == 1)
            #expect(try await database.store.envelope("e")?.status == .pending)
        }
    }

    @Test("a gateway that stops answers waiting calls, and their envelopes go on")
    func stopWithCalls() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".yaml")
        try Data(mcpTools.utf8).write(to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withDatabase { database in
            let gateway = try await TestGateway.start(database.gateway) { $0.configPath = folder.path }
            let mcp = MCPTestClient.stateless(gateway.client)
            var withTasks = mcp
            withTasks.knowsTasks = true
            let arguments = #"{"name":"echo","arguments":{"text":"hi"}}"#
            let plain = try await mcp.stream("tools/call", arguments)
            let task = try await withTasks.stream("tools/call", arguments)
            try await eventually("both are sent") { gateway.transport.published.count == 2 }
            try await gateway.stop()
            #expect(await plain.all().last?["result"]?["isError"]?.boolean == true)
            #expect(await task.all().last?["result"]?["resultType"]?.string == "task")
            for message in gateway.transport.published {
                #expect(try await database.store.envelope(message.id)?.status == .pending)
            }
        }
    }

    @Test(
        "a long call becomes a task where the client knows tasks; a short one is answered",
        arguments: StoreKind.allCases)
    func task(kind: StoreKind) async throws {
        try await withMCP(kind, configure: { $0.mcp.taskAfter = .milliseconds(300) }) { gateway, _ in
            var mcp = MCPTestClient.stateless(gateway.client)
            mcp.knowsTasks = true
            let arguments = #"{"name":"sum","arguments":{"n":[1]}}"#
            async let short = mcp.result("tools/call", arguments)
            try await gateway.finish(gateway.lastSubmitted(), #"{"sum":1}"#)
            #expect(try await short["resultType"]?.string == "complete")

            let long = try await mcp.result("tools/call", arguments)
            #expect(long["resultType"]?.string == "task")
            let id = try #require(long["taskId"]?.string)
            #expect(long["status"]?.string == "working")
            #expect(long["ttlMs"]?.description == "null")
            #expect(long["pollIntervalMs"]?.integer == 1000)
            let working = try await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)
            #expect(working["status"]?.string == "working" && working["resultType"]?.string == "complete")
            #expect(
                try await mcp.result("tasks/update", #"{"taskId":"\#(id)","inputResponses":{}}"#)["resultType"]?.string
                    == "complete")
            try await gateway.finish(id, #""bad""#, status: "failed")
            let failed = try await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)
            #expect(failed["status"]?.string == "completed")
            #expect(failed["result"]?["isError"]?.boolean == true)
            #expect(failed["result"]?["resultType"]?.string == "complete")

            let cancelled = try #require(await mcp.result("tools/call", arguments)["taskId"]?.string)
            #expect(
                try await mcp.result("tasks/cancel", #"{"taskId":"\#(cancelled)"}"#)["resultType"]?.string == "complete"
            )
            #expect(try await mcp.result("tasks/get", #"{"taskId":"\#(cancelled)"}"#)["status"]?.string == "cancelled")
            #expect(
                try await mcp.result("tasks/cancel", #"{"taskId":"\#(cancelled)"}"#)["resultType"]?.string == "complete"
            )
            #expect(try await mcp.failure("tasks/get", #"{"taskId":"nobody"}"#) == [400, -32602])
            #expect(try await mcp.failure("tasks/result", #"{"taskId":"\#(id)"}"#) == [404, -32601])
            #expect(try await mcp.failure("tasks/list") == [404, -32601])
        }
    }

    @Test(
        "a subscription is acknowledged first, then tells what was asked for and nothing else",
        arguments: StoreKind.allCases)
    func listen(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            var mcp = MCPTestClient.stateless(gateway.client)
            mcp.knowsTasks = true
            func submit(_ id: String) async throws {
                _ = try await mcp.result(
                    "tools/call", #"{"name":"troupe_submit","arguments":{"route":["a","b"],"payload":1,"id":"\#(id)"}}"#
                )
            }
            for id in ["r", "t", "other"] { try await submit(id) }
            let filter =
                #"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["troupe://envelopes/r","file:///x"],"taskIds":["t"]}"#
            let stream = try await mcp.stream("subscriptions/listen", #"{"notifications":\#(filter)}"#, id: #""s1""#)
            var events = stream.events.makeAsyncIterator()
            func next() async throws -> TestEventStream.Event {
                while let event = await events.next() { if event.comment == nil { return event } }
                throw CancellationError()
            }
            let first = try await next()
            #expect(first["method"]?.string == "notifications/subscriptions/acknowledged")
            #expect(
                first["params"]?["notifications"]?.description
                    == #"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["troupe://envelopes/r"],"taskIds":["t"]}"#
            )
            try await gateway.progress("other", 0)
            try await gateway.progress("r", 0)
            let updated = try await next()
            #expect(updated["method"]?.string == "notifications/resources/updated")
            #expect(updated["params"]?["uri"]?.string == "troupe://envelopes/r")
            try await gateway.finish("t", #"{"done":true}"#)
            let task = try await next()
            #expect(task["method"]?.string == "notifications/tasks")
            #expect(task["params"]?["status"]?.string == "completed")
            #expect(task["params"]?["result"]?["structuredContent"]?["done"]?.boolean == true)
            try Data((mcpTools + "\n  - {name: third, route: [a]}\n").utf8).write(to: MCPFiles.tools)
            let changed = try await next()
            #expect(changed["method"]?.string == "notifications/tools/list_changed")
            for event in [first, updated, task, changed] {
                #expect(event["params"]?["_meta"]?["io.modelcontextprotocol/subscriptionId"]?.string == "s1")
            }
            stream.hangUp()
            #expect(try await mcp.failure("subscriptions/listen", #"{"notifications":1}"#) == [400, -32602])
            #expect(
                try await mcp.failure("subscriptions/listen", #"{"notifications":{"taskIds":"t"}}"#) == [400, -32602])
        }
    }

    @Test("tasks are for clients that declare them, with each request", arguments: StoreKind.allCases)
    func tasksAreDeclared(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = MCPTestClient.stateless(gateway.client)
            for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
                #expect(try await mcp.failure(method, #"{"taskId":"e"}"#) == [400, -32021], "\(method)")
            }
            let listen = try await mcp.request("subscriptions/listen", #"{"notifications":{"taskIds":["e"]}}"#)
            #expect(listen.status == 400)
            #expect(listen["error"]?["code"]?.integer == -32021)
            #expect(
                listen["error"]?["data"]?.description
                    == #"{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#)
        }
    }

    @Test("what is wrong gets its status and code", arguments: StoreKind.allCases)
    func badInput(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = MCPTestClient.stateless(gateway.client)
            for method in ["ping", "initialize", "logging/setLevel", "resources/subscribe", "nope"] {
                #expect(try await mcp.failure(method) == [404, -32601], "\(method)")
            }
            #expect(try await mcp.failure("tools/call", #"{"name":"nope"}"#) == [400, -32602])
            #expect(try await mcp.failure("resources/read", #"{"uri":"troupe://envelopes/nobody"}"#) == [400, -32602])
            #expect(
                try await mcp.failure("tools/call", #"{"name":"sum","arguments":{"region":"eu"}}"#) == [400, -32020])

            let body = try mcp.body("tools/list", "{}")
            func post(_ change: [String: String?]) async throws -> [Int] {
                let headers = mcp.headers("tools/list", .null).merging(change.compactMapValues { $0 }) { $1 }
                    .filter { change[$0.key] != .some(nil) }
                let answer = try await gateway.client.post("/mcp", body, headers: headers)
                return [answer.status, answer["error"]?["code"]?.integer ?? 0]
            }
            #expect(try await post([:]) == [200, 0])
            #expect(try await post(["MCP-Protocol-Version": nil]) == [400, -32020])
            #expect(try await post(["MCP-Protocol-Version": "2025-11-25"]) == [400, -32020])
            #expect(try await post(["Mcp-Method": nil]) == [400, -32020])
            #expect(try await post(["Mcp-Method": "tools/call"]) == [400, -32020])
            #expect(try await post(["Mcp-Session-Id": "ignored"]) == [200, 0])
            #expect(try await post(["Accept": "text/html"]) == [406, -32600])
            var future = mcp
            future.version = "2027-01-01"
            let meta =
                #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01","io.modelcontextprotocol/clientCapabilities":{}}}"#
            let headers = future.headers("tools/list", .null).merging(["Mcp-Method": "tools/list"]) { $1 }
            let answer = try await gateway.client.post(
                "/mcp", #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":\#(meta)}"#, headers: headers)
            #expect(answer.status == 400)
            #expect(answer["error"]?["code"]?.integer == -32022)
            #expect(answer["error"]?["data"]?["supported"]?.description == #"["2026-07-28"]"#)
            let bare = try await gateway.client.post(
                "/mcp", #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, headers: mcp.headers("tools/list", .null))
            #expect(bare.status == 400 && bare["error"]?["code"]?.integer == -32602)
            #expect(try await mcp.notify("notifications/cancelled", #"{"requestId":1}"#).status == 202)
            let get = try await gateway.client.get(
                "/mcp", headers: ["MCP-Protocol-Version": "2026-07-28", "Accept": "text/event-stream"])
            #expect(get.status == 405 && get.headers["allow"] == "POST")
        }
    }
}
