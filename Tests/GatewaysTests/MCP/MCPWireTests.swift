import Envelopes
import Testing

@testable import Gateways

@Suite("MCP: messages, headers, origins")
struct MCPWireTests {
    private func json(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

    @Test("requests, notifications and answers are told apart")
    func kinds() throws {
        #expect(
            try JSONRPCMessage(json(#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#))
                == .request(JSONRPCRequest(id: json(#""x""#), method: "ping", params: .emptyObject)))
        #expect(
            try JSONRPCMessage(json(#"{"jsonrpc":"2.0","method":"n","params":{"a":1}}"#))
                == .notification(method: "n", params: json(#"{"a":1}"#)))
        #expect(try JSONRPCMessage(json(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)) == .response)
        #expect(try JSONRPCMessage(json(#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#)) == .response)
    }

    @Test(
        "mistakes have JSON-RPC's codes",
        arguments: [
            ("[]", -32600), ("1", -32600), ("{}", -32600), (#"{"jsonrpc":"1.0","id":1,"method":"a"}"#, -32600),
            (#"{"jsonrpc":"2.0","id":1}"#, -32600), (#"{"jsonrpc":"2.0","id":1,"method":2}"#, -32600),
            (#"{"jsonrpc":"2.0","id":null,"method":"a"}"#, -32600),
            (#"{"jsonrpc":"2.0","id":[1],"method":"a"}"#, -32600),
            (#"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#, -32602),
            (#"[{"jsonrpc":"2.0","id":1,"method":"a"}]"#, -32600),
        ])
    func mistakes(_ text: String, _ code: Int) throws {
        let json = try json(text)
        #expect(throws: JSONRPCError.self) {
            do throws(JSONRPCError) {
                _ = try JSONRPCMessage(json)
            } catch {
                #expect(error.code.rawValue == code)
                throw error
            }
        }
    }

    // MARK: Routing headers

    private static let meta =
        #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#

    private func code(_ headers: RoutingHeaders, _ method: String, _ params: String) throws -> Int? {
        let request = try JSONRPCRequest(id: json("1"), method: method, params: json(params))
        do throws(JSONRPCError) {
            try headers.check(request)
            return nil
        } catch {
            return error.code.rawValue
        }
    }

    @Test("headers and body of a stateless request must say the same")
    func routingHeaders() throws {
        let good = RoutingHeaders(version: ["2026-07-28"], method: ["tools/call"], name: ["t"])
        let params = #"{"name":"t",\#(Self.meta)}"#
        #expect(try code(good, "tools/call", params) == nil)

        func changed(_ change: (inout RoutingHeaders) -> Void) throws -> Int? {
            var headers = good
            change(&headers)
            return try code(headers, "tools/call", params)
        }
        #expect(try changed { $0.version = [] } == -32020)
        #expect(try changed { $0.version = ["2025-11-25"] } == -32020)
        #expect(try changed { $0.method = [] } == -32020)
        #expect(try changed { $0.method = ["Tools/Call"] } == -32020)
        #expect(try changed { $0.method.append("tools/call") } == -32020)
        #expect(try changed { $0.name = [] } == -32020)
        #expect(try changed { $0.name = ["T"] } == -32020)
        #expect(try changed { $0.name = ["=?base64?dA==?="] } == nil)
        #expect(try changed { $0.name = ["=?base64?dB==?="] } == -32020)
        #expect(try code(good, "tools/call", #"{"name":"t"}"#) == -32602)
        #expect(
            try code(
                good, "tools/call", #"{"name":"t","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#)
                == -32602)
    }

    @Test("a version that isn't served is told apart from a header that lies")
    func unsupportedVersion() throws {
        let meta =
            #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01","io.modelcontextprotocol/clientCapabilities":{}}}"#
        let headers = RoutingHeaders(version: ["2027-01-01"], method: ["tools/list"])
        #expect(try code(headers, "tools/list", meta) == -32022)
        #expect(try code(RoutingHeaders(version: ["2026-07-28"], method: ["tools/list"]), "tools/list", meta) == -32020)
        #expect(throws: JSONRPCError.self) {
            do throws(JSONRPCError) { try RoutingHeaders.checkServed("2027-01-01") } catch {
                #expect(error.data?.description == #"{"supported":["2026-07-28"],"requested":"2027-01-01"}"#)
                throw error
            }
        }
    }

    @Test("arguments that a tool wants in headers: both there and equal, or neither")
    func mirroredArguments() throws {
        let schema = try json(
            #"{"properties":{"region":{"type":"string","x-mcp-header":"Region"},"a":{"properties":{"n":{"x-mcp-header":"N"}}}}}"#
        )
        let mirrored = MirroredArgument.all(in: schema)
        #expect(mirrored.map(\.path) == [["region"], ["a", "n"]])
        func fits(_ arguments: String, _ headers: [String: [String]]) throws -> Bool {
            do {
                try RoutingHeaders(parameters: headers).check(json(arguments), of: mirrored)
                return true
            } catch is JSONRPCError { return false }
        }
        #expect(try fits("{}", [:]))
        #expect(try fits(#"{"region":"eu","a":{"n":5}}"#, ["region": ["eu"], "n": ["5"]]))
        #expect(try fits(#"{"region":"zürich"}"#, ["region": ["=?base64?esO8cmljaA==?="]]))
        #expect(try fits(#"{"region":null}"#, [:]))
        #expect(try !fits(#"{"region":"eu"}"#, [:]))
        #expect(try !fits("{}", ["region": ["eu"]]))
        #expect(try !fits(#"{"region":"eu"}"#, ["region": ["us"]]))
        #expect(try !fits(#"{"region":"eu"}"#, ["region": ["eu", "eu"]]))
    }
}
