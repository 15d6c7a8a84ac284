internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Telemetry
internal import Transports

/// All that the endpoints share, and which endpoints there are.
struct GatewayRouter: Sendable {
    typealias Context = GatewayContext

    let store: any EnvelopeStore
    /// Of the store; for streams.
    let updates: SharedUpdateReading
    let transport: any Transport
    let gate: SubmissionGate
    let outbox: OutboxPublisher
    let cancellations: CancellationAnnouncer
    let pauses: PauseAnnouncer
    /// `nil` where no faults are to be injected.
    let faults: FaultDesk?
    let queues: any QueueObserver
    let board: ActorBoard
    let hub: UpdateHub
    let desk: DeadLetterDesk
    let catalogue: LiveFile<ToolCatalogue>
    let metrics: GatewayMetrics
    /// `nil` where nothing is traced.
    let tracer: Tracer?
    let reading: RequestReading
    let outboxGrace: Duration
    let outboxHorizon: Duration
    let keepAliveInterval: Duration
    /// With a client that takes no more of its answer.
    let answerPatience: Duration
    let mcp: MCPSettings
    let access: AccessControl
    let logger: Logger

    var tools: ToolCatalogue { catalogue.current }
    var follower: EnvelopeFollower {
        EnvelopeFollower(updates: updates, hub: hub, keepAliveInterval: keepAliveInterval)
    }

    var reportWriter: ReportWriter {
        ReportWriter(store: store, cancellations: cancellations, metrics: metrics, logger: logger)
    }

    /// All there is, in the order of the document, which is one of them.
    func endpoints() -> [Endpoint] {
        let endpoints =
            submitEndpoints + toolEndpoints + envelopeEndpoints + streamEndpoints + actEndpoints + actorEndpoints
            + faultEndpoints + deadLetterEndpoints + reportEndpoints + MCPServer(gateway: self).endpoints
            + resourceEndpoints + healthEndpoints
        return endpoints + [OpenAPIDocument.endpoint(describing: endpoints)]
    }

    /// - Parameter access: of the port that it is for.
    func router(_ access: AccessControl) -> Router<Context> {
        let router = Router(context: Context.self)
        router.add(middleware: CrossOriginMiddleware(origins: access.origins))
        if let resource = access.resource { router.add(middleware: ChallengeMiddleware(resource: resource)) }
        router.add(middleware: RequestMiddleware(requests: RequestMetrics(metrics), tracer: tracer, logger: logger))
        for (path, endpoints) in Dictionary(grouping: endpoints(), by: \.path) {
            add(path, endpoints, access, to: router)
        }
        return router
    }

    /// Adds the endpoints of a path, and 405 for every other method.
    private func add(_ path: String, _ endpoints: [Endpoint], _ access: AccessControl, to router: Router<Context>) {
        for endpoint in endpoints {
            router.on(endpoint.routerPath, method: endpoint.method) { request, context in
                var context = context
                try await access.admit(request, to: endpoint, &context)
                return try await endpoint.handler(request, context)
            }
        }
        let allowed = endpoints.map(\.method.rawValue).sorted().joined(separator: ", ")
        let all: [HTTPRequest.Method] = [.get, .head, .post, .put, .delete, .patch, .options]
        for method in all where !endpoints.contains(where: { $0.method == method }) {
            router.on(endpoints[0].routerPath, method: method) { request, _ -> Response in
                var problem = Problem(
                    .methodNotAllowed, "\(request.method.rawValue) is not for this path; known are: \(allowed)")
                problem.headers[.allow] = allowed
                throw problem
            }
        }
    }
}
