internal import Envelopes
internal import Hummingbird
internal import Telemetry

extension MCPServer {
    /// `tools/call` in a span of its own: below what the request's `_meta` says, or else its HTTP headers.
    func callToolTraced(_ request: JSONRPCRequest, _ caller: Caller) async throws -> Reply {
        var scope = RequestScope.current ?? RequestScope(id: nil, trace: nil)
        guard let span = ServerSpan(gateway.tracer, below: caller.trace.parent) else {
            scope.trace = caller.trace.parent
            return try await RequestScope.$current.withValue(scope) { try await callTool(request, caller) }
        }
        scope.trace = span.context
        var caller = caller
        caller.meta.trace = caller.trace
        caller.meta.trace.parent = span.context
        let name = request.params["name"]?.string ?? ""
        let tool = gateway.tools[name] != nil || OwnTool(rawValue: name) != nil ? name : nil
        do {
            let reply = try await RequestScope.$current.withValue(scope) { try await callTool(request, caller) }
            span.end(call: tool, caller.version, error: nil)
            return reply
        } catch {
            span.end(call: tool, caller.version, error: Self.word(for: error))
            throw error
        }
    }

    private static func word(for error: any Error) -> String {
        switch error {
        case let problem as Problem: problem.code.rawValue
        case let error as JSONRPCError: String(error.code.rawValue)
        default: "\(type(of: error))"
        }
    }
}

extension MCPServer.Caller {
    var trace: CallerTrace { meta.trace.parent == nil ? CallerTrace(request.headers) : meta.trace }
}
