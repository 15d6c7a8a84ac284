internal import EventLoops
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Telemetry

/// Around every request: turns errors into problem documents, counts, and logs what went wrong on our side.
struct RequestMiddleware: RouterMiddleware {
    typealias Context = GatewayContext

    let metrics: GatewayMetrics
    let tracer: Tracer?
    let logger: Logger

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let caller = CallerTrace(request.headers).parent
        let span =
            ServerSpan.isFor(request, route: context.endpointPath) ? ServerSpan(tracer, below: caller) : nil
        let scope = RequestScope(id: request.headers[.requestID], trace: span?.context ?? caller)
        return try await RequestScope.$current.withValue(scope) {
            var response = try await answer(request, context: context, next: next)
            response.headers[.requestID] = scope.id
            span?.end(request, route: context.endpointPath ?? "none", status: response.status.code)
            return response
        }
    }

    private func answer(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = MonotonicTime.now
        let response: Response
        do {
            response = try await next(request, context)
        } catch {
            response = problem(for: error, request).response
        }
        // The path's pattern: ids would make a series each.
        let route = context.endpointPath ?? "none"
        let duration = start.duration(to: .now).inSeconds
        let method = knownMethod(request)
        metrics.request(method: method, route: route, status: response.status.code).increment()
        metrics.requestDuration(method: method, route: route).observe(duration)
        logger.log(
            level: response.status.code >= 500 ? .warning : .debug, "request",
            metadata: [
                "method": "\(request.method.rawValue)", "path": "\(request.uri.path.prefix(300))",
                "status": "\(response.status.code)", "ms": "\(Int(duration * 1000))",
            ])
        return response
    }

    private func problem(for error: any Error, _ request: Request) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as StoreError:
            let problem = Problem(error)
            if problem.code == .internalError {
                logger.error(
                    "statement refused", metadata: ["path": "\(request.uri.path.prefix(300))", "error": "\(error)"])
            }
            return problem
        case let error as HTTPError where error.status == .notFound:
            return Problem(.notFound, "\(request.method.rawValue) \(request.uri.path.prefix(300)) leads nowhere")
        case let error as HTTPError where error.status == .contentTooLarge:
            return Problem(.bodyTooLarge, "the body is larger than this gateway takes")
        case let error as HTTPError where (400..<500).contains(error.status.code):
            return Problem(.invalidRequest, error.body ?? error.status.reasonPhrase)
        default:
            logger.error(
                "unexpected error", metadata: ["path": "\(request.uri.path.prefix(300))", "error": "\(error)"])
            return Problem(.internalError, "The gateway's log has the reason")
        }
    }

    /// Methods are free text on the wire; unknown ones share a series.
    private func knownMethod(_ request: Request) -> String {
        let known: [HTTPRequest.Method] = [.get, .head, .post, .put, .delete, .patch, .options]
        return known.contains(request.method) ? request.method.rawValue : "other"
    }
}
