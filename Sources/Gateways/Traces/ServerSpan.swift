internal import Envelopes
internal import EventLoops
internal import HTTPTypes
internal import Hummingbird
internal import Telemetry

/// The span of a request that sends envelopes on their way.
struct ServerSpan: Sendable {
    let tracer: Tracer
    let context: TraceParent
    let parent: TraceParent?
    let start = MonotonicTime.now

    /// `nil` where it is not traced.
    init?(_ tracer: Tracer?, below parent: TraceParent?) {
        guard let tracer, let context = tracer.context(below: parent) else { return nil }
        self.tracer = tracer
        self.context = context
        self.parent = parent
    }

    private static let routes: Set = ["/envelopes", "/envelopes/bulk", "/tools/call", "/dead-letters/replay"]

    /// - Parameter route: the path's pattern.
    static func isFor(_ request: Request, route: String?) -> Bool {
        request.method == .post && route.map(routes.contains) == true
    }

    func end(_ request: Request, route: String, status: Int) {
        tracer.record(
            Span(
                "\(request.method.rawValue) \(route)", .server, context, below: parent, since: start,
                [
                    "http.request.method": .text(request.method.rawValue), "http.route": .text(route),
                    "http.response.status_code": .integer(status), "url.path": .text(request.uri.path),
                    "url.scheme": "http",
                ], error: status >= 500 ? String(status) : nil), if: context)
    }

    /// Of a call over the Model Context Protocol.
    /// - Parameter tool: one that there is; other names are anybody's.
    func end(call tool: String?, _ version: ProtocolVersion, error: String?) {
        let method = "tools/call"
        var attributes: [String: Span.Value] = [
            "mcp.method.name": .text(method), "mcp.protocol.version": .text(version.rawValue),
            "gen_ai.operation.name": "execute_tool",
        ]
        if let tool { attributes["gen_ai.tool.name"] = .text(tool) }
        tracer.record(
            Span(
                tool.map { "\(method) \($0)" } ?? method, .server, context, below: parent, since: start, attributes,
                error: error), if: context)
    }
}
