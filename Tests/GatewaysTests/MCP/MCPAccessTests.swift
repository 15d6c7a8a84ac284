import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("MCP: who may do what", .serialized)
struct MCPAccessTests {
    /// A gateway with tools, and callers for each scope beside `alice` and `bob`, who may submit and nothing else.
    private func withCallers(
        _ body: @escaping (TestGateway, Keys, _ alice: TestClient, _ bob: TestClient) async throws -> Void
    ) async throws {
        var keys = try Keys()
        let (alice, bob) = (try keys.add("alice", [.submit]), try keys.add("bob", [.submit]))
        defer { try? FileManager.default.removeItem(atPath: keys.path) }
        let path = keys.path
        try await withMCP {
            $0.auth.keysPath = path
        } _: { gateway, _ in
            try await body(gateway, keys, gateway.client.with(alice.headers), gateway.client.with(bob.headers))
        }
    }

    private func names(_ result: RawJSON) -> [String] {
        result["tools"]?.elements.compactMap { $0["name"]?.string } ?? []
    }

    @Test("tools that a caller may not use aren't listed, and can't be called")
    func tools() async throws {
        try await withCallers { gateway, keys, alice, _ in
            let expected: [Scope: Set<String>] = [
                .submit: ["echo", "sum", "troupe_submit"],
                .read: ["troupe_status", "troupe_list", "troupe_list_actors"],
                .operate: ["troupe_cancel", "troupe_retry", "troupe_dlq_list", "troupe_dlq_replay"], .internal: [],
            ]
            for (scope, tools) in expected {
                let client = gateway.client.with(keys.headers(scope))
                let session = try await MCPTestClient.open(client)
                for mcp in [session, .stateless(client)] {
                    let result = try await mcp.result("tools/list")
                    #expect(Set(names(result)) == tools, "\(scope)")
                    if mcp.isStateless { #expect(result["cacheScope"]?.string == "private") }
                    for tool in Set(expected.values.joined()).subtracting(tools) {
                        let answer = try await mcp.request(
                            "tools/call",
                            #"{"name":"\#(tool)","arguments":\#(tool == "echo" ? #"{"text":"x"}"# : "{}")}"#)
                        #expect(answer.status == 403, "\(scope) \(tool)")
                        #expect(
                            answer.headers["www-authenticate"]?.hasPrefix(
                                #"Bearer error="insufficient_scope", scope=""#)
                                == true)
                        #expect(answer["error"]?["data"]?["code"]?.string == "insufficient_scope")
                    }
                }
            }
            #expect(gateway.transport.published.isEmpty, "a call that is refused submits nothing")
        }
    }

    @Test("what tells of envelopes is for readers; lists are empty for others")
    func reading() async throws {
        try await withCallers { gateway, keys, alice, _ in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await alice.post("/envelopes", body).status == 202)
            let calls = [
                ("resources/read", #"{"uri":"troupe://envelopes/e"}"#),
                ("prompts/get", #"{"name":"troupe_diagnose","arguments":{"id":"e"}}"#),
                (
                    "completion/complete",
                    #"{"ref":{"type":"ref/prompt","name":"troupe_diagnose"},"argument":{"name":"id","value":"e"}}"#
                ),
            ]
            let reader = MCPTestClient.stateless(gateway.client.with(keys.headers(.read)))
            let other = MCPTestClient.stateless(alice)
            for (method, params) in calls {
                _ = try await reader.result(method, params)
                #expect(try await other.request(method, params).status == 403, "\(method)")
            }
            #expect(try await reader.result("resources/list")["resources"]?.elements.count == 1)
            #expect(try await other.result("resources/list")["resources"]?.elements.isEmpty == true)
            let listen = #"{"notifications":{"resourceSubscriptions":["troupe://envelopes/e"]}}"#
            #expect(try await other.request("subscriptions/listen", listen).status == 403)
            let session = try await MCPTestClient.open(alice)
            #expect(try await session.request("resources/subscribe", #"{"uri":"troupe://envelopes/e"}"#).status == 403)
        }
    }

    @Test("a session is its caller's: for others there is none")
    func sessions() async throws {
        try await withCallers { gateway, keys, alice, bob in
            let mine = try await MCPTestClient.open(alice)
            for client in [bob, gateway.client.with(keys.headers(.read))] {
                var theirs = mine
                theirs = MCPTestClient(client: client, version: mine.version, session: mine.session)
                #expect(try await theirs.request("tools/list").status == 404)
                #expect(try await client.get("/mcp", headers: theirs.headers("", .null)).status == 404)
                #expect(try await client.send("DELETE", "/mcp", headers: theirs.headers("", .null)).status == 404)
            }
            let nobody = MCPTestClient(client: gateway.client, version: mine.version, session: mine.session)
            #expect(try await nobody.request("tools/list").status == 401)
            #expect(try await mine.request("tools/list").status == 200)
        }
    }

    /// One that says that it knows tasks.
    private func taskClient(_ client: TestClient) -> MCPTestClient {
        var client = MCPTestClient.stateless(client)
        client.knowsTasks = true
        return client
    }

    @Test("a task is its caller's: for others there is none, with all its names")
    func tasks() async throws {
        try await withCallers { gateway, keys, alice, bob in
            let mine = try await MCPTestClient.open(alice)
            let created = try await mine.result("tools/call", #"{"name":"echo","arguments":{"text":"x"},"task":{}}"#)
            let id = try #require(created["task"]?["taskId"]?.string)
            let params = #"{"taskId":"\#(id)"}"#
            #expect(try await mine.result("tasks/get", params)["status"]?.string == "working")
            #expect(try await taskClient(alice).result("tasks/get", params)["taskId"]?.string == id)
            for client in [bob, gateway.client.with(keys.headers(.read)), gateway.client.with(keys.headers(.operate))] {
                let theirs = try await MCPTestClient.open(client)
                for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
                    #expect(try await theirs.failure(method, params) == [200, -32602], "\(method)")
                }
                let stateless = taskClient(client)
                for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
                    #expect(try await stateless.failure(method, params) == [400, -32602], "\(method)")
                }
                let stream = try await stateless.stream(
                    "subscriptions/listen", #"{"notifications":{"taskIds":["\#(id)"]}}"#)
                var events = stream.events.makeAsyncIterator()
                let acknowledged = try #require(await events.next())
                #expect(acknowledged["params"]?["notifications"]?["taskIds"] == nil)
                stream.hangUp()
            }
            try await gateway.with(keys).finish(id, #""done""#)
            #expect(try await mine.result("tasks/result", params)["structuredContent"] == nil)
            #expect(
                try await taskClient(alice).result("tasks/get", params)["status"]?.string == "completed")
        }
    }
}

extension TestGateway {
    /// With the key of a sidecar.
    fileprivate func with(_ keys: Keys) -> TestGateway {
        var gateway = self
        gateway.client = client.with(keys.headers(.internal))
        return gateway
    }
}
