import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("MCP with sessions (2025)", .serialized)
struct MCPSessionEndpointTests {
    @Test("a session opens, lists tools, and ends", arguments: ["2025-03-26", "2025-06-18", "2025-11-25"])
    func lifecycle(_ version: String) async throws {
        try await withMCP { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client, version)
            #expect(try await mcp.notify("notifications/initialized").status == 202)
            #expect(try await mcp.result("ping").description == "{}")
            let tools = try await mcp.result("tools/list")["tools"]?.elements ?? []
            #expect(tools.map { $0["name"]?.string }.prefix(3) == ["echo", "sum", "troupe_submit"])
            #expect(tools[0]["inputSchema"]?["properties"]?["text"]?["type"]?.string == "string")
            #expect((tools[1]["outputSchema"] != nil) == (version >= "2025-06-18"))
            #expect((tools[1]["execution"]?["taskSupport"]?.string == "optional") == (version == "2025-11-25"))
            let headers = mcp.headers("", .null)
            #expect(try await gateway.client.send("DELETE", "/mcp", headers: headers).status == 204)
            #expect(try await gateway.client.send("DELETE", "/mcp", headers: headers).status == 404)
            #expect(try await mcp.request("ping").status == 404)
        }
    }

    @Test("initialize answers with the version that was asked for, or with the latest that has sessions")
    func negotiation() async throws {
        try await withMCP { gateway, _ in
            for (requested, version) in [
                ("2025-06-18", "2025-06-18"), ("2024-11-05", "2025-11-25"), ("x", "2025-11-25"),
            ] {
                let mcp = MCPTestClient(client: gateway.client, version: "2025-11-25")
                let result = try await mcp.result(
                    "initialize", #"{"protocolVersion":"\#(requested)","capabilities":{}}"#)
                #expect(result["protocolVersion"]?.string == version)
                #expect(result["serverInfo"]?["name"]?.string == "troupe-gateway")
                #expect(result["capabilities"]?["tools"]?["listChanged"]?.boolean == true)
                #expect(
                    result["capabilities"]?["resources"]?.description == #"{"subscribe":true,"listChanged":true}"#)
                #expect(result["capabilities"]?["prompts"]?["listChanged"]?.boolean == true)
                #expect((result["capabilities"]?["tasks"] != nil) == (version == "2025-11-25"))
            }
        }
    }

    @Test(
        "a call tells what its handler tells: percentages, and log lines from the level on that the client wants",
        arguments: StoreKind.allCases)
    func partialResults(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            _ = try await mcp.result("logging/setLevel", #"{"level":"warning"}"#)
            let stream = try await mcp.stream(
                "tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#, id: "9", meta: #""progressToken":"p""#)
            let id = try await gateway.lastSubmitted()
            var report = StatusReport(
                kind: .emitted, eventID: "1", envelopeID: id, status: "running", actors: ["a"], currentActorIndex: 0,
                currentActorName: "a")
            report.events = [
                EmittedEvent(type: "token", data: RawJSON(string: "never told")),
                EmittedEvent(type: "log", data: try RawJSON(Array(#"{"level":"info","message":"chatter"}"#.utf8))),
                EmittedEvent(type: "log", data: try RawJSON(Array(#"{"level":"warning","message":"hot"}"#.utf8))),
                EmittedEvent(type: "progress", data: try RawJSON(Array(#"{"percent":50,"message":"half"}"#.utf8))),
                EmittedEvent(type: "log", data: RawJSON(integer: 1)),
            ]
            gateway.transport.report(report)
            try await eventually("not written") { gateway.transport.acknowledgedCount == 1 }
            try await gateway.finish(id, "1")
            let messages = await stream.all().dropFirst()
            let logs = messages.filter { $0["method"]?.string == "notifications/message" }
            #expect(logs.map { $0["params"]?["data"]?["message"]?.string } == ["hot"])
            #expect(logs.first?["params"]?["level"]?.string == "warning")
            #expect(logs.first?["params"]?["logger"]?.string == "a")
            let progress = messages.filter { $0["method"]?.string == "notifications/progress" }
            #expect(progress.contains { $0["params"]?["message"]?.string == "half" })
            let percents = progress.compactMap { $0["params"]?["progress"]?.double }
            #expect(percents.contains(75) && percents == percents.sorted() && Set(percents).count == percents.count)
            #expect(!messages.contains { $0.data.contains("never told") })
        }
    }

    @Test("a call waits, tells of progress, and returns the result as it is", arguments: StoreKind.allCases)
    func call(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let stream = try await mcp.stream(
                "tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#, id: #""q""#,
                meta: #""progressToken":"p""#)
            #expect(stream.headers["content-type"] == "text/event-stream")
            #expect(stream.headers["connection"] == "close", "it is not to be used again")
            let id = try await gateway.lastSubmitted()
            #expect(gateway.transport.messages(of: id).first?.hasSuffix(#""payload":{"text":"hi"}}"#) == true)
            try await gateway.progress(id, 0)
            try await gateway.progress(id, 1)
            try await gateway.finish(id, #"{"n": 12345678901234567890, "z":"\u0000","a":1.50}"#)
            let events = await stream.all()
            #expect(events.allSatisfy { $0.name == "message" })
            #expect(events.first?.data == "", "the first event has an id and nothing else")
            let messages = events.dropFirst()
            let progress = messages.filter { $0["method"]?.string == "notifications/progress" }
            #expect(progress.map { $0["params"]?["progress"]?.integer } == [0, 25, 75, 100])
            #expect(messages.contains { $0["method"]?.string == "notifications/message" })
            let answer = try #require(messages.last)
            #expect(answer["id"]?.string == "q")
            let result = try #require(answer["result"])
            #expect(result["structuredContent"]?.description == #"{"n": 12345678901234567890, "z":"\u0000","a":1.50}"#)
            #expect(
                result["content"]?.elements.first?["text"]?.string
                    == #"{"n": 12345678901234567890, "z":"\u0000","a":1.50}"#)
            #expect(result["isError"] == nil)
            #expect(result["_meta"]?["troupe/envelopeId"]?.string == id)
            let ids = events.compactMap(\.eventID)
            #expect(ids.allSatisfy { $0.hasPrefix("1-") } && Set(ids).count == ids.count && ids.count >= 4)
        }
    }

    @Test(
        "without an event stream a call waits and answers with JSON; failures are results",
        arguments: StoreKind.allCases)
    func callForJSON(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client, "2025-06-18")
            async let failed = mcp.result("tools/call", #"{"name":"echo","arguments":{"text":"x"}}"#)
            try await gateway.finish(gateway.lastSubmitted(), #""ValueError: no""#, status: "failed")
            #expect(try await failed["isError"]?.boolean == true)
            #expect(try await failed["content"]?.elements.first?["text"]?.string == "ValueError: no")
            let wrong = try await mcp.result("tools/call", #"{"name":"echo","arguments":{"text":1}}"#)
            #expect(wrong["isError"]?.boolean == true)
            #expect(wrong["content"]?.elements.first?["text"]?.string?.contains("'text' must be a string") == true)
            #expect(gateway.transport.published.count == 1)
        }
    }

    @Test("a result that doesn't fit its outputSchema is an error, one that does is structured")
    func outputSchema() async throws {
        try await withMCP { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            async let good = mcp.result("tools/call", #"{"name":"sum","arguments":{"n":[1]}}"#)
            try await gateway.finish(gateway.lastSubmitted(), #"{"sum":1}"#)
            #expect(try await good["structuredContent"]?.description == #"{"sum":1}"#)
            async let bad = mcp.result("tools/call", #"{"name":"sum"}"#)
            try await gateway.finish(gateway.lastSubmitted(after: 1), #"{"sum":"one"}"#)
            #expect(try await bad["isError"]?.boolean == true)
            #expect(try await bad["structuredContent"] == nil)
            #expect(
                try await bad["content"]?.elements.first?["text"]?.string?.contains("/sum: must be of type number")
                    == true)
        }
    }

    @Test("a call that takes too long is told so, and is not lost", arguments: StoreKind.allCases)
    func timeout(kind: StoreKind) async throws {
        try await withMCP(kind, configure: { $0.mcp.callTimeout = .milliseconds(300) }) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let result = try await mcp.result("tools/call", #"{"name":"echo","arguments":{"text":"x"}}"#)
            let id = try await gateway.lastSubmitted()
            #expect(result["isError"]?.boolean == true)
            #expect(result["content"]?.elements.last?["uri"]?.string == "troupe://envelopes/\(id)")
            try await gateway.finish(id, "1")
            let envelope = try await mcp.result("resources/read", #"{"uri":"troupe://envelopes/\#(id)"}"#)
            #expect(envelope["contents"]?.elements.first?["text"]?.string?.contains(#""status":"succeeded""#) == true)
        }
    }

    @Test(
        "a lost connection is resumed where it was, also when the answer has come meanwhile, and again",
        arguments: StoreKind.allCases)
    func resume(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let stream = try await mcp.stream(
                "tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#, id: "5", meta: #""progressToken":1"#)
            let id = try await gateway.lastSubmitted()
            try await gateway.progress(id, 0)
            var last: String?
            for await event in stream.events {
                last = event.eventID ?? last
                if event["params"]?["progress"]?.integer == 25 { break }
            }
            stream.hangUp()
            try await gateway.progress(id, 1)
            try await gateway.finish(id, "7")
            for _ in 0..<2 {
                let events = await (try await mcp.listen(lastEventID: last)).all()
                let progress = events.compactMap { $0["params"]?["progress"]?.integer }
                #expect(progress.allSatisfy { $0 > 25 })
                #expect(events.last?["id"]?.integer == 5)
                #expect(events.last?["result"]?["content"]?.elements.first?["text"]?.string == "7")
            }
            #expect(try await gateway.client.get("/envelopes/\(id)")["status"]?.string == "succeeded", "not cancelled")

            let other = try await MCPTestClient.open(gateway.client)
            #expect(try await other.listen(lastEventID: last).status == 400, "another session's stream")
            #expect(try await mcp.listen(lastEventID: "99-1").status == 400)
            #expect(try await mcp.listen(lastEventID: "rubbish").status == 400)
        }
    }

    @Test("a cancelled call gets no answer, and its envelope ends as cancelled", arguments: StoreKind.allCases)
    func cancel(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let stream = try await mcp.stream("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#, id: #""c""#)
            let id = try await gateway.lastSubmitted()
            #expect(try await mcp.notify("notifications/cancelled", #"{"requestId":"other"}"#).status == 202)
            #expect(try await mcp.notify("notifications/cancelled", #"{"requestId":"c","reason":"x"}"#).status == 202)
            #expect(await stream.all().allSatisfy { $0["result"] == nil })
            #expect(try await gateway.client.get("/envelopes/\(id)")["status"]?.string == "cancelled")
            try await gateway.finish(id, "1")
            #expect(try await gateway.client.get("/envelopes/\(id)")["status"]?.string == "cancelled", "final is final")
        }
    }

    @Test("the same id twice at a time is refused, before anything is submitted", arguments: StoreKind.allCases)
    func sameID(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let stream = try await mcp.stream("tools/call", #"{"name":"echo","arguments":{"text":"1"}}"#, id: "9")
            let id = try await gateway.lastSubmitted()
            let second = try await mcp.request("tools/call", #"{"name":"echo","arguments":{"text":"2"}}"#, id: "9")
            #expect(second["error"]?["code"]?.integer == -32600)
            #expect(gateway.transport.published.count == 1)
            try await gateway.finish(id, "1")
            #expect(await stream.all().last?["id"]?.integer == 9)
        }
    }

    // MARK: Tasks

    @Test(
        "a call as a task: at once, polled, its result like the call's, listed for its session",
        arguments: StoreKind.allCases)
    func task(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let created = try await mcp.result(
                "tools/call", #"{"name":"sum","arguments":{},"task":{"ttl":60000}}"#)
            let id = try #require(created["task"]?["taskId"]?.string)
            #expect(created["task"]?["status"]?.string == "working")
            #expect(created["task"]?["ttl"]?.description == "null")
            #expect(try await gateway.client.get("/envelopes/\(id)").status == 200, "durable before the answer")
            #expect(try await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)["status"]?.string == "working")
            async let result = mcp.result("tasks/result", #"{"taskId":"\#(id)"}"#)
            try await Task.sleep(for: .milliseconds(100))
            try await gateway.finish(id, #"{"sum":3}"#)
            #expect(try await result["structuredContent"]?.description == #"{"sum":3}"#)
            #expect(try await result["_meta"]?["io.modelcontextprotocol/related-task"]?["taskId"]?.string == id)
            #expect(try await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)["status"]?.string == "completed")
            #expect(try await mcp.result("tasks/list")["tasks"]?.elements.map { $0["taskId"]?.string } == [id])
            #expect(try await mcp.failure("tasks/cancel", #"{"taskId":"\#(id)"}"#) == [200, -32602])
            #expect(try await mcp.failure("tasks/get", #"{"taskId":"nobody"}"#) == [200, -32602])
            let other = try await MCPTestClient.open(gateway.client)
            #expect(try await other.result("tasks/list")["tasks"]?.elements.count == 0)

            let second =
                try await mcp.result("tools/call", #"{"name":"sum","task":{}}"#)["task"]?["taskId"]?.string ?? ""
            #expect(try await mcp.result("tasks/cancel", #"{"taskId":"\#(second)"}"#)["status"]?.string == "cancelled")
            #expect(try await mcp.result("tasks/result", #"{"taskId":"\#(second)"}"#)["isError"]?.boolean == true)
            let old = try await MCPTestClient.open(gateway.client, "2025-06-18")
            #expect(try await old.failure("tasks/list") == [200, -32601])
        }
    }

    @Test("a session hears of its tasks until they have ended, and of no other's", arguments: StoreKind.allCases)
    func taskNotifications(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let other = try await MCPTestClient.open(gateway.client)
            func call(_ mcp: MCPTestClient) async throws -> String {
                try #require(
                    await mcp.result("tools/call", #"{"name":"sum","task":{}}"#)["task"]?["taskId"]?.string)
            }
            let foreign = try await call(other)
            let stream = try await mcp.listen()
            let id = try await call(mcp)
            try await gateway.progress(foreign, 0)
            try await gateway.progress(id, 0)
            var statuses: [String] = []
            for await event in stream.events where event["method"] != nil {
                #expect(event["method"]?.string == "notifications/tasks/status")
                let task = try #require(event["params"])
                #expect(task["taskId"]?.string == id)
                #expect(task["ttl"]?.kind == .null && task["pollInterval"] != nil && task["createdAt"] != nil)
                statuses.append(try #require(task["status"]?.string))
                if statuses.count == 1 { try await gateway.finish(id, #"{"sum":"no number"}"#) }
                if statuses.last != "working" { break }
            }
            #expect(statuses.last == "failed", "a result that doesn't fit is an error, which is a failed task here")
            #expect(try await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)["status"]?.string == "failed")
            #expect(
                try await mcp.result("tasks/list")["tasks"]?.elements.map { $0["status"]?.string } == ["failed"])
        }
    }

    @Test("tasks are listed in pages, the latest first", arguments: StoreKind.allCases)
    func taskPages(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            var ids: [String] = []
            for _ in 0..<60 {
                let created = try await mcp.result("tools/call", #"{"name":"sum","task":{}}"#)
                ids.append(try #require(created["task"]?["taskId"]?.string))
            }
            let first = try await mcp.result("tasks/list")
            let cursor = try #require(first["nextCursor"]?.string)
            let second = try await mcp.result("tasks/list", #"{"cursor":"\#(cursor)"}"#)
            let listed = (first["tasks"]?.elements ?? []) + (second["tasks"]?.elements ?? [])
            #expect(listed.map { $0["taskId"]?.string } == ids.reversed())
            #expect(second["nextCursor"] == nil)
            #expect(try await mcp.failure("tasks/list", #"{"cursor":"rubbish"}"#) == [200, -32602])
        }
    }

    @Test("a task says how long it is kept, once that is known", arguments: StoreKind.allCases)
    func taskAge(kind: StoreKind) async throws {
        try await withMCP(kind, configure: { $0.mcp.retention = .seconds(3600) }) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let created = try await mcp.result("tools/call", #"{"name":"sum","task":{}}"#)
            let id = try #require(created["task"]?["taskId"]?.string)
            #expect(created["task"]?["ttl"]?.kind == .null, "while it is under way nobody deletes it")
            try await gateway.finish(id, #"{"sum":3}"#)
            let age = try #require(await mcp.result("tasks/get", #"{"taskId":"\#(id)"}"#)["ttl"]?.integer)
            #expect((3_600_000..<3_660_000).contains(age))
        }
    }

    // MARK: What a session listens to

    @Test(
        "the session's own stream tells of envelopes that move and of tools that change, and can be resumed",
        arguments: StoreKind.allCases)
    func ownStream(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let id = "watched"
            let body = #"{"id":"watched","route":{"actors":["a","b"]},"payload":1}"#
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            #expect(
                try await mcp.failure("resources/subscribe", #"{"uri":"troupe://envelopes/nobody"}"#) == [200, -32002])
            #expect(try await mcp.failure("resources/subscribe", #"{"uri":"file:///etc/passwd"}"#) == [200, -32002])
            _ = try await mcp.result("resources/subscribe", #"{"uri":"troupe://envelopes/\#(id)"}"#)
            // Nobody listens yet: it is told nevertheless.
            try await gateway.progress(id, 0)
            let stream = try await mcp.listen()
            #expect(stream.status == 200)
            var last: String?
            for await event in stream.events where event["method"] != nil {
                #expect(event["method"]?.string == "notifications/resources/updated")
                #expect(event["params"]?["uri"]?.string == "troupe://envelopes/\(id)")
                last = event.eventID
                break
            }
            try Data((mcpTools + "\n  - {name: third, route: [a]}\n").utf8).write(to: MCPFiles.tools)
            for await event in stream.events where event["method"] != nil {
                #expect(event["method"]?.string == "notifications/tools/list_changed")
                break
            }
            #expect(
                try await mcp.result("tools/list")["tools"]?.elements.contains { $0["name"]?.string == "third" } == true
            )

            let second = try await mcp.listen(lastEventID: last)
            for await event in second.events where event["method"] != nil {
                #expect(
                    event["method"]?.string == "notifications/tools/list_changed", "sent again to who may not have it")
                break
            }
            #expect(await stream.all().isEmpty, "the earlier stream has ended")
            _ = try await mcp.result("resources/unsubscribe", #"{"uri":"troupe://envelopes/\#(id)"}"#)
            try await gateway.progress(id, 1)
            _ = try await gateway.client.send("DELETE", "/mcp", headers: mcp.headers("", .null))
            #expect(await second.all().isEmpty)
        }
    }

    @Test("a tool file with mistakes changes nothing")
    func badReload() async throws {
        try await withMCP { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            try Data("tools: [{name: broken}]".utf8).write(to: MCPFiles.tools)
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await mcp.result("tools/list")["tools"]?.elements.first?["name"]?.string == "echo")
            try Data("tools: [{name: mended, route: [a]}]".utf8).write(to: MCPFiles.tools)
            try await eventually("the mended file is read") {
                try await mcp.result("tools/list")["tools"]?.elements.first?["name"]?.string == "mended"
            }
            #expect(try await gateway.client.get("/tools")["tools"]?.elements.count == 1)
        }
    }

    @Test("log messages come from the level on that was set")
    func logging() async throws {
        try await withMCP { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            #expect(try await mcp.failure("logging/setLevel", #"{"level":"loud"}"#) == [200, -32602])
            _ = try await mcp.result("logging/setLevel", #"{"level":"error"}"#)
            let stream = try await mcp.stream("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#)
            let id = try await gateway.lastSubmitted()
            try await gateway.progress(id, 0)
            try await gateway.finish(id, #""boom""#, status: "failed")
            let logged = await stream.all().filter { $0["method"]?.string == "notifications/message" }
            #expect(logged.map { $0["params"]?["level"]?.string } == ["error"])
            #expect(logged.first?["params"]?["data"]?["error"]?.string == "boom")
        }
    }

    // MARK: Resources, prompts, completion

    @Test("envelopes are resources, in pages, the newest first", arguments: StoreKind.allCases)
    func resources(kind: StoreKind) async throws {
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            for number in 0..<120 {
                let body = #"{"id":"e\#(number)","route":{"actors":["a"]},"payload":\#(number)}"#
                #expect(try await gateway.client.post("/envelopes", body).status == 202)
            }
            var names: [String] = []
            var params = "{}"
            for _ in 0..<3 {
                let page = try await mcp.result("resources/list", params)
                names += (page["resources"]?.elements ?? []).compactMap { $0["name"]?.string }
                params = page["nextCursor"]?.string.map { #"{"cursor":"\#($0)"}"# } ?? "{}"
            }
            #expect(names == (0..<120).reversed().map { "e\($0)" })
            #expect(params == "{}")
            #expect(try await mcp.failure("resources/list", #"{"cursor":"rubbish"}"#) == [200, -32602])
            #expect(try await mcp.failure("tools/list", #"{"cursor":"rubbish"}"#) == [200, -32602])
            let templates = try await mcp.result("resources/templates/list")["resourceTemplates"]?.elements ?? []
            #expect(templates.first?["uriTemplate"]?.string == "troupe://envelopes/{id}")
            let history = try await mcp.result("resources/read", #"{"uri":"troupe://envelopes/e7/history"}"#)
            #expect(
                history["contents"]?.elements.first?["text"]?.string?.hasPrefix(#"[{"id":"e7","status":"running""#)
                    == true)
            #expect(try await mcp.failure("resources/read", #"{"uri":"troupe://envelopes/nobody"}"#) == [200, -32002])
            #expect(
                try await mcp.failure("resources/read", #"{"uri":"troupe://envelopes/a'b\u0000"}"#) == [200, -32002])

            let prompts = try await mcp.result("prompts/list")["prompts"]?.elements ?? []
            #expect(prompts.map { $0["name"]?.string } == ["troupe_diagnose"])
            let prompt = try await mcp.result("prompts/get", #"{"name":"troupe_diagnose","arguments":{"id":"e7"}}"#)
            #expect(prompt["messages"]?.elements.count == 3)
            #expect(
                try await mcp.failure("prompts/get", #"{"name":"troupe_diagnose","arguments":{"id":"x"}}"#) == [
                    200, -32602,
                ])
            #expect(try await mcp.failure("prompts/get", #"{"name":"other"}"#) == [200, -32602])
            let completion = try await mcp.result(
                "completion/complete",
                #"{"ref":{"type":"ref/prompt","name":"troupe_diagnose"},"argument":{"name":"id","value":"e11"}}"#)
            #expect(
                completion["completion"]?["values"]?.elements.compactMap(\.string)
                    == (110...119).reversed().map { "e\($0)" } + ["e11"])
            #expect(
                try await mcp.failure("completion/complete", #"{"ref":{"type":"ref/prompt","name":"x"}}"#) == [
                    200, -32602,
                ])
        }
    }

    // MARK: The gateway's own tools

    @Test("the gateway's own tools: submit, status, list, cancel", arguments: StoreKind.allCases)
    func ownTools(kind: StoreKind) async throws {
        for tool in OwnTool.allCases { #expect(tool.schema != .objects, "\(tool.rawValue)") }
        try await withMCP(kind) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            func call(_ tool: String, _ arguments: String) async throws -> RawJSON {
                try await mcp.result("tools/call", #"{"name":"\#(tool)","arguments":\#(arguments)}"#)
            }
            let submitted = try await call(
                "troupe_submit", #"{"route":["a","b"],"payload":{"x":1.0},"id":"own","timeout":"5m"}"#)
            #expect(submitted["structuredContent"]?["id"]?.string == "own")
            #expect(gateway.transport.published.isEmpty || gateway.transport.messages(of: "own").count == 1)
            let again = try await call("troupe_submit", #"{"route":["a"],"payload":1,"id":"own"}"#)
            #expect(again["isError"]?.boolean == true)
            #expect(try await call("troupe_submit", #"{"route":[]}"#)["isError"]?.boolean == true)
            let status = try await call("troupe_status", #"{"id":"own"}"#)["structuredContent"]
            #expect(status?["envelope"]?["payload"]?.description == #"{"x":1.0}"#)
            #expect(status?["children"]?.elements.isEmpty == true)
            #expect(try await call("troupe_status", #"{"id":"nobody"}"#)["isError"]?.boolean == true)
            _ = try await call("troupe_submit", #"{"route":["a"],"payload":1,"id":"other"}"#)
            let first = try await call("troupe_list", #"{"limit":1}"#)["structuredContent"]
            #expect(first?["envelopes"]?.elements.map { $0["id"]?.string } == ["other"])
            let cursor = try #require(first?["cursor"]?.string)
            let second = try await call("troupe_list", #"{"limit":5,"cursor":"\#(cursor)"}"#)["structuredContent"]
            #expect(second?["envelopes"]?.elements.map { $0["id"]?.string } == ["own"])
            #expect(second?["cursor"] == nil)
            #expect(try await call("troupe_list", #"{"cursor":"x"}"#)["isError"]?.boolean == true)
            let cancelled = try await call("troupe_cancel", #"{"id":"own"}"#)["structuredContent"]
            #expect(cancelled?["envelope"]?["status"]?.string == "cancelled")
            let list = try await call("troupe_list", #"{"status":"cancelled"}"#)["structuredContent"]
            #expect(list?["envelopes"]?.elements.map { $0["id"]?.string } == ["own"])
            #expect(try await call("troupe_list_actors", "{}")["structuredContent"]?["actors"]?.kind == .array)
            #expect(
                try await call("troupe_dlq_list", #"{"actor":"a"}"#)["structuredContent"]?["dead_letters"]?.kind
                    == .array)
            #expect(try await call("troupe_dlq_replay", #"{"actor":"a","unknown":1}"#)["isError"]?.boolean == true)

            let early = try await call("troupe_retry", #"{"id":"again"}"#)
            #expect(early["isError"]?.boolean == true, "there is none")
            _ = try await call("troupe_submit", #"{"route":["a","b"],"payload":7,"id":"again"}"#)
            #expect(try await call("troupe_retry", #"{"id":"again"}"#)["isError"]?.boolean == true, "it has not ended")
            #expect(try await call("troupe_retry", #"{"id":"again","from":"x"}"#)["isError"]?.boolean == true)
            try await gateway.finish("again", #""no""#, status: "failed")
            let retried = try await call("troupe_retry", #"{"id":"again","from":"start"}"#)
            #expect(retried["structuredContent"]?["envelope"]?["status"]?.string == "pending", "\(retried)")
            try await eventually("it is sent again") { gateway.transport.messages(of: "again").count == 2 }
            #expect(gateway.transport.messages(of: "again").last?.hasSuffix(#""payload":7}"#) == true)
        }
        try await withMCP(kind, configure: { $0.mcp.hasOwnTools = false }) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            #expect(try await mcp.result("tools/list")["tools"]?.elements.count == 2)
            #expect(try await mcp.failure("tools/call", #"{"name":"troupe_list"}"#) == [200, -32602])
        }
    }

    // MARK: Bad input

    @Test("what is wrong gets its status and code, and the service goes on")
    func badInput() async throws {
        try await withMCP(configure: {
            $0.maxBody = 10_000
            $0.mcp.sessionLimit = 3
        }) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let headers = mcp.headers("", .null)
            func post(_ body: String, _ change: [String: String?] = [:]) async throws -> [Int] {
                let headers = headers.merging(change.compactMapValues { $0 }) { $1 }.filter {
                    change[$0.key] != .some(nil)
                }
                let answer = try await gateway.client.post("/mcp", body, headers: headers)
                return [answer.status, answer["error"]?["code"]?.integer ?? 0]
            }
            let ping = #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#
            #expect(try await post(ping) == [200, 0])
            #expect(try await post("{") == [400, -32700])
            #expect(try await post("") == [400, -32700])
            #expect(try await post("[\(ping)]") == [400, -32600])
            #expect(try await post(#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#) == [400, -32600])
            #expect(try await post(#"{"jsonrpc":"2.0","id":1,"method":"nope"}"#) == [200, -32601])
            #expect(try await post(#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#) == [200, -32602])
            #expect(
                try await post(#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope"}}"#) == [
                    200, -32602,
                ])
            #expect(
                try await post(
                    #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":[]}}"#)
                    == [200, -32602])
            #expect(
                try await post(#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"progressToken":{}}}}"#)
                    == [400, -32602])
            #expect(try await post(ping + String(repeating: " ", count: 10_000)) == [413, -32600])
            #expect(try await post(String(repeating: "[", count: 600)) == [400, -32700])
            #expect(try await post(ping, ["Content-Type": "text/plain"]) == [415, -32600])
            #expect(try await post(ping, ["Accept": "text/html"]) == [406, -32600])
            #expect(try await post(ping, ["Origin": "https://evil.example.com"]) == [403, 0])
            #expect(try await post(ping, ["Origin": "http://localhost:3000"]) == [200, 0])
            #expect(try await post(ping, ["Mcp-Session-Id": nil]) == [400, -32600])
            #expect(try await post(ping, ["Mcp-Session-Id": "x"]) == [404, -32600])
            #expect(try await post(ping, ["MCP-Protocol-Version": nil]) == [200, 0])
            #expect(try await post(ping, ["MCP-Protocol-Version": "1999-01-01"]) == [400, -32602])
            #expect(try await gateway.client.get("/mcp", headers: ["Accept": "text/event-stream"]).status == 400)
            #expect(
                try await gateway.client.get("/mcp", headers: headers.merging(["Accept": "application/json"]) { $1 })
                    .status == 406)
            #expect(try await gateway.client.send("PUT", "/mcp", headers: headers).status == 405)
            for _ in 0..<10 { _ = try await MCPTestClient.open(gateway.client) }
            #expect(try await post(ping) == [404, -32600], "made room for others")
        }
    }
}
