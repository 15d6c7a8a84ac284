internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import PostgreSQL
internal import Transports

/// All that the endpoints share, and which endpoints there are.
struct GatewayRouter: Sendable {
    typealias Context = GatewayContext

    let store: EnvelopeStore
    let transport: any Transport
    let outbox: OutboxPublisher
    let cancellations: CancellationAnnouncer
    let hub: UpdateHub
    let desk: DeadLetterDesk
    let catalogue: LiveFile<ToolCatalogue>
    let metrics: GatewayMetrics
    let reading: RequestReading
    let outboxGrace: Duration
    let keepAliveInterval: Duration
    let mcp: MCPSettings
    let logger: Logger

    var tools: ToolCatalogue { catalogue.current }
    var follower: EnvelopeFollower {
        EnvelopeFollower(store: store, hub: hub, keepAliveInterval: keepAliveInterval)
    }

    var reportWriter: ReportWriter {
        ReportWriter(store: store, cancellations: cancellations, metrics: metrics, logger: logger)
    }

    typealias Handler = @Sendable (Request, Context) async throws -> Response

    func router() -> Router<Context> {
        let router = Router(context: Context.self)
        router.add(middleware: RequestMiddleware(metrics: metrics, logger: logger))
        add("/tools", [.get: listTools], to: router)
        add("/tools/call", [.post: callTool], to: router)
        let mcp = MCPServer(gateway: self)
        add("/mcp", [.post: mcp.post, .get: mcp.get, .delete: mcp.delete], to: router)
        add("/envelopes", [.post: postEnvelope, .get: listEnvelopes], to: router)
        add("/envelopes/:id", [.get: getEnvelope], to: router)
        add("/envelopes/:id/stream", [.get: streamEnvelope], to: router)
        add("/envelopes/:id/active", [.get: isActive], to: router)
        add("/envelopes/:id/cancel", [.post: cancelEnvelope], to: router)
        add("/envelopes/:id/progress", [.post: postProgress], to: router)
        add("/envelopes/:id/final", [.post: postFinal], to: router)
        add("/dead-letters", [.get: listDeadLetters], to: router)
        add("/dead-letters/replay", [.post: replayDeadLetters], to: router)
        add("/dead-letters/purge", [.post: purgeDeadLetters], to: router)
        add("/dead-letters/:actor/:id", [.get: showDeadLetter], to: router)
        add("/health", [.get: health, .head: health], to: router)
        add("/healthz", [.get: health, .head: health], to: router)
        add("/readyz", [.get: readiness, .head: readiness], to: router)
        add("/metrics", [.get: metricsText], to: router)
        return router
    }

    /// Adds the handlers of a path, and 405 for every other method.
    private func add(_ path: RouterPath, _ handlers: [HTTPRequest.Method: Handler], to router: Router<Context>) {
        for (method, handler) in handlers { router.on(path, method: method, use: handler) }
        let allowed = handlers.keys.map(\.rawValue).sorted().joined(separator: ", ")
        let all: [HTTPRequest.Method] = [.get, .head, .post, .put, .delete, .patch, .options]
        for method in all where handlers[method] == nil {
            router.on(path, method: method) { request, _ -> Response in
                var problem = Problem(
                    .methodNotAllowed, "\(request.method.rawValue) is not for this path; known are: \(allowed)")
                problem.headers[.allow] = allowed
                throw problem
            }
        }
    }
}
