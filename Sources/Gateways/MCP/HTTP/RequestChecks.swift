internal import Envelopes
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// What a request must be before its message counts.
extension MCPServer {
    func checkContentType(_ request: Request) throws(Refusal) {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
        guard type == "application/json" else {
            throw Refusal(.unsupportedMediaType, "'Content-Type' must be application/json")
        }
    }

    /// `GET` and `DELETE` are for sessions.
    func checkMethodExists(_ request: Request) throws(Refusal) {
        guard request.headers[.mcpSessionID] == nil, let version = request.headers[.mcpProtocolVersion],
            ProtocolVersion(rawValue: version)?.isStateless == true
        else { return }
        var refusal = Refusal(.methodNotAllowed, "this protocol version has POST only")
        refusal.headers[.allow] = "POST"
        throw refusal
    }

    func session(of request: Request, _ principal: Principal) throws(Refusal) -> Session {
        if let version = request.headers[.mcpProtocolVersion] {
            guard ProtocolVersion(rawValue: version)?.isStateless == false else {
                throw Refusal(.badRequest, "this 'MCP-Protocol-Version' is none that has sessions here")
            }
        }
        guard let id = request.headers[.mcpSessionID] else {
            throw Refusal(.badRequest, "the header 'Mcp-Session-Id' is missing: 'initialize' opens a session")
        }
        guard let session = sessions.find(id, of: principal.id) else {
            throw Refusal(.notFound, "there is no such session any more: 'initialize' opens another")
        }
        return session
    }

    func takeBody(of request: inout Request) async throws -> RawJSON {
        let bytes = try await gateway.reading.bytes(of: request)
        // It has been read: who listens for the client's hanging up later must not wait for its end.
        request.body = RequestBody(buffer: ByteBuffer())
        do throws(JSONError) {
            return try RawJSON(bytes, limits: gateway.reading.limits)
        } catch {
            throw JSONRPCError(.parseError, error.description)
        }
    }
}

extension Request {
    /// Without the header everything is welcome.
    func accepts(_ type: String) -> Bool {
        let values = headers[values: .accept]
        guard !values.isEmpty else { return type == "application/json" }
        let group = type.prefix { $0 != "/" } + "/*"
        return values.flatMap { $0.split(separator: ",") }.contains { part in
            let name = part.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
            return name == type || name == group || name == "*/*"
        }
    }

    func checkAccept() throws(Refusal) {
        guard accepts("application/json") else {
            throw Refusal(.notAcceptable, "'Accept' must contain application/json, and should text/event-stream")
        }
    }
}
