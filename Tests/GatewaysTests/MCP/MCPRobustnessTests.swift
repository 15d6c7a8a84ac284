import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("MCP in bad weather", .serialized)
struct MCPRobustnessTests {
    @Test("a database that is away: new calls are told so, waiting ones go on when it is back")
    func databaseAway() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".yaml")
        try Data(mcpTools.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await withDatabase { database in
            let proxy = try TCPProxy(to: database.url)
            let gateway = try await TestGateway.start(.of(proxy.url)) {
                $0.configPath = file.path
                $0.keepAlive = .milliseconds(300)
            }
            let mcp = try await MCPTestClient.open(gateway.client)
            let stateless = MCPTestClient.stateless(gateway.client)
            let call = #"{"name":"echo","arguments":{"text":"hi"}}"#
            let streams = [
                try await mcp.stream("tools/call", call, id: "9"), try await stateless.stream("tools/call", call),
            ]
            try await eventually("both are sent") { gateway.transport.published.count == 2 }
            let own = try await mcp.listen()

            proxy.stop()
            #expect(try await mcp.failure("tools/call", call) == [200, -32603])
            #expect(try await stateless.failure("tools/call", call) == [503, -32603])
            #expect(try await mcp.failure("resources/list") == [200, -32603])
            #expect(try await mcp.result("ping").kind == .object)
            try await Task.sleep(for: .milliseconds(700))

            try proxy.start()
            for message in gateway.transport.published {
                gateway.transport.report(
                    StatusReport(
                        kind: .final, eventID: "1", envelopeID: message.id, status: "succeeded", actors: ["a", "b"],
                        currentActorIndex: 2, result: RawJSON(integer: 5)))
            }
            for stream in streams {
                #expect(await stream.all().last?["result"]?["content"]?.elements.first?["text"]?.string == "5")
            }
            own.hangUp()
            try await gateway.stop()
            proxy.stop()
        }
    }

    @Test("a caller that takes no event stream may wait longer than connections may be idle")
    func idle() async throws {
        try await withMCP(configure: { $0.idleTimeout = .seconds(1) }) { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            async let result = mcp.result("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#)
            let id = try await gateway.lastSubmitted()
            try await Task.sleep(for: .milliseconds(2500))
            try await gateway.finish(id, "5")
            #expect(try await result["content"]?.elements.first?["text"]?.string == "5")
        }
    }

    @Test("clients that go away at any moment leave nothing behind, and no harm")
    func hangUps() async throws {
        try await withMCP { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let body = try mcp.body("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#)
            var head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
            for (name, value) in mcp.headers("", .null) { head += "\(name): \(value)\r\n" }
            let whole = Array((head + "\r\n" + body).utf8)
            let streams = [
                "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: \(mcp.session ?? "")\r\n\r\n",
                "GET /envelopes/x/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
                "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: \(mcp.session ?? "")\r\nContent-Length: 9\r\n\r\nabc",
            ].map { Array($0.utf8) }
            for length in stride(from: 1, through: whole.count, by: 23) {
                let socket = try TestSocket(port: gateway.client.port)
                socket.send(Array(whole.prefix(length)))
                socket.close()
            }
            for _ in 0..<20 {
                for request in streams + [whole] {
                    let socket = try TestSocket(port: gateway.client.port)
                    socket.send(request)
                    if Bool.random() { try await Task.sleep(for: .milliseconds(5)) }
                    if Bool.random() { socket.finishSending() }
                    socket.close()
                }
            }
            #expect(try await mcp.result("ping").kind == .object)
            try await eventually("streams stay") {
                try await gateway.client.get("/metrics").text.contains("troupe_gateway_sse_streams 0\n")
            }
        }
    }

    @Test("a reader that does not read holds nobody up")
    func slowReader() async throws {
        try await withMCP { gateway, _ in
            let mcp = try await MCPTestClient.open(gateway.client)
            let slow = try TestSocket(port: gateway.client.port)
            defer { slow.close() }
            let body = try mcp.body("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#, id: #""slow""#)
            var head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
            for (name, value) in mcp.headers("", .null) { head += "\(name): \(value)\r\n" }
            slow.send(Array((head + "\r\n" + body).utf8))
            try await gateway.finish(
                gateway.lastSubmitted(), "\"" + String(repeating: "x", count: 8_000_000) + "\"")
            async let result = mcp.result("tools/call", #"{"name":"echo","arguments":{"text":"hi"}}"#)
            try await gateway.finish(gateway.lastSubmitted(after: 1), "5")
            #expect(try await result["content"]?.elements.first?["text"]?.string == "5")
        }
    }
}
