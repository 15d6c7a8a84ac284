internal import HTTPTypes
internal import Hummingbird

extension MCPServer {
    var endpoints: [Endpoint] {
        let message: Schema = #"{"type":"object","required":["jsonrpc"],"properties":{"jsonrpc":{"const":"2.0"}}}"#
        func endpoint(
            _ method: HTTPRequest.Method, _ name: String, _ summary: String, body: Endpoint.Body? = nil,
            _ answers: [Endpoint.Answer], _ handler: @escaping Endpoint.Handler
        ) -> Endpoint {
            Endpoint(
                method: method, path: "/mcp", name: name, access: .known, summary: summary,
                details: "Model Context Protocol over HTTP; docs/mcp.md. Errors are JSON-RPC's.", body: body,
                answers: answers,
                handler: handler)
        }
        return [
            endpoint(
                .post, "sendMCPMessage", "Send a message", body: .init(schema: message),
                [
                    .init(status: .ok, text: "The answer; a stream of it where it takes long", schema: message),
                    .init(status: .accepted, text: "A notification was taken"),
                ], post),
            endpoint(
                .get, "listenMCP", "Listen in a session",
                [.init(status: .ok, text: "Messages", type: "text/event-stream", schema: .string)], get),
            endpoint(.delete, "endMCPSession", "End a session", [.init(status: .noContent, text: "Ended")], delete),
        ]
    }
}
