import Envelopes
import Foundation
import Testing

@testable import Gateways

/// Speaks MCP as a client would, by hand.
struct MCPTestClient: Sendable {
    let client: TestClient
    var version: String
    var session: String?

    /// Opens a session.
    static func open(_ client: TestClient, _ version: String = "2025-11-25") async throws -> MCPTestClient {
        var mcp = MCPTestClient(client: client, version: version)
        let answer = try await mcp.request(
            "initialize",
            #"{"protocolVersion":"\#(version)","capabilities":{},"clientInfo":{"name":"test","version":"1"}}"#)
        #expect(answer.status == 200)
        mcp.session = try #require(answer.headers["mcp-session-id"] as String?)
        return mcp
    }

    /// Without a session.
    static func stateless(_ client: TestClient) -> MCPTestClient {
        MCPTestClient(client: client, version: "2026-07-28")
    }

    var isStateless: Bool { version == "2026-07-28" }

    func headers(_ method: String, _ params: RawJSON) -> [String: String] {
        var headers = [
            "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
        ]
        headers["Mcp-Session-Id"] = session
        if isStateless {
            headers["Mcp-Method"] = method
            headers["Mcp-Name"] = params["name"]?.string ?? params["uri"]?.string ?? params["taskId"]?.string
        }
        return headers
    }

    /// - Parameter meta: members for `_meta`.
    func body(_ method: String, _ params: String, id: String? = "1", meta: String = "") throws -> String {
        var meta = meta
        if isStateless {
            meta +=
                (meta.isEmpty ? "" : ",")
                + #""io.modelcontextprotocol/protocolVersion":"\#(version)","io.modelcontextprotocol/clientCapabilities":{"#
                + (knowsTasks ? #""extensions":{"io.modelcontextprotocol/tasks":{}}"# : "") + "}"
        }
        var params = params
        if !meta.isEmpty {
            params = String(params.dropLast()) + (params == "{}" ? "" : ",") + #""_meta":{\#(meta)}}"#
        }
        return #"{"jsonrpc":"2.0","# + (id.map { #""id":\#($0),"# } ?? "")
            + #""method":"\#(method)","params":\#(params)}"#
    }

    var knowsTasks = false

    func request(
        _ method: String, _ params: String = "{}", id: String = "1", meta: String = "", accept: String? = nil
    ) async throws -> TestClient.Answer {
        var headers = try headers(method, RawJSON(Array(params.utf8)))
        if let accept { headers["Accept"] = accept }
        return try await client.post("/mcp", body(method, params, id: id, meta: meta), headers: headers)
    }

    func notify(_ method: String, _ params: String = "{}") async throws -> TestClient.Answer {
        try await client.post(
            "/mcp", body(method, params, id: nil), headers: headers(method, RawJSON(Array(params.utf8))))
    }

    /// The `result` of a request that succeeds.
    func result(_ method: String, _ params: String = "{}", meta: String = "") async throws -> RawJSON {
        let answer = try await request(method, params, meta: meta, accept: "application/json")
        #expect(answer.status == 200, "\(answer.text)")
        return try #require(answer["result"], "\(answer.text)")
    }

    /// HTTP status and error code of a request that fails.
    func failure(_ method: String, _ params: String = "{}", meta: String = "") async throws -> [Int] {
        let answer = try await request(method, params, meta: meta)
        return [answer.status, answer["error"]?["code"]?.integer ?? 0]
    }

    func stream(_ method: String, _ params: String, id: String = "1", meta: String = "") async throws
        -> TestEventStream
    {
        try await client.events(
            "/mcp", headers: headers(method, RawJSON(Array(params.utf8))),
            body: body(method, params, id: id, meta: meta))
    }

    func listen(lastEventID: String? = nil) async throws -> TestEventStream {
        var headers = headers("", .null)
        headers["Accept"] = "text/event-stream"
        return try await client.events("/mcp", lastEventID: lastEventID, headers: headers)
    }
}

extension TestGateway {
    /// What a sidecar would report of the envelope that came out of a call.
    func finish(_ id: String, _ result: String, status: String = "succeeded") async throws {
        let outcome = status == "succeeded" ? #""result":\#(result)"# : #""error":\#(result)"#
        let body = #"{"status":"\#(status)",\#(outcome),"actors":["a","b"],"current_actor_idx":2}"#
        #expect(try await client.post("/envelopes/\(id)/final", body).status == 200)
    }

    func progress(_ id: String, _ index: Int, _ status: String = "processing") async throws {
        let body = #"{"actors":["a","b"],"current_actor_idx":\#(index),"status":"\#(status)"}"#
        #expect(try await client.post("/envelopes/\(id)/progress", body).status == 200)
    }

    /// The id of the envelope that was sent last.
    func lastSubmitted(after count: Int = 0) async throws -> String {
        try await eventually("an envelope is sent") { transport.published.count > count }
        return try #require(transport.published.last?.id)
    }
}

/// A gateway with two tools on a store of its own.
func withMCP(
    _ kind: StoreKind = .postgreSQL, tools: String = mcpTools,
    configure: @escaping (inout Configuration) -> Void = { _ in },
    _ body: (TestGateway, any TestStore) async throws -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("troupe-mcp-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("tools.yaml")
    try Data(tools.utf8).write(to: file)
    try await withGateway(
        kind,
        configure: { configuration in
            configuration.configPath = file.path
            configuration.configReload = .milliseconds(50)
            configuration.mcp.callTimeout = .seconds(30)
            configure(&configuration)
        }
    ) { gateway, database in
        try await MCPFiles.$tools.withValue(file) { try await body(gateway, database) }
    }
}

enum MCPFiles {
    /// The tool file of the gateway under test.
    @TaskLocal static var tools = URL(fileURLWithPath: "/")
}

let mcpTools = """
    tools:
      - name: echo
        description: Says it again
        parameters: {text: {type: string, required: true}}
        route: [a, b]
      - name: sum
        title: Sum
        inputSchema:
          type: object
          properties: {region: {type: string, x-mcp-header: Region}, n: {type: array, items: {type: number}}}
        outputSchema: {type: object, properties: {sum: {type: number}}, required: [sum]}
        route: [a, b]
    """
