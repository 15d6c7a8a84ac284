internal import HTTPTypes
internal import Hummingbird

/// Cross-origin resource sharing: lets the pages that may come read what they get.
struct CrossOriginMiddleware: RouterMiddleware {
    typealias Context = GatewayContext

    let origins: OriginCheck

    private static let requestHeaders = [
        "Accept", "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "MCP-Protocol-Version",
        "Mcp-Method",
        "Mcp-Name", "Mcp-Session-Id", "X-API-Key", "traceparent", "tracestate",
    ].joined(separator: ", ")

    private static let responseHeaders = [
        "Location", "MCP-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate", "traceparent",
    ].joined(separator: ", ")

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin], origins.isAllowed(origin: origin) else {
            return try await next(request, context)
        }
        var response: Response
        if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
            response = Response(status: .noContent)
            response.headers[.accessControlAllowMethods] = "GET, POST, PUT, DELETE, PATCH"
            // A tool's arguments may be mirrored in headers, each with a name of its own.
            let mirrored = (request.headers[.accessControlRequestHeaders] ?? "").split(separator: ",").map {
                $0.filter { !$0.isWhitespace }
            }.filter { $0.lowercased().hasPrefix("mcp-param-") }
            response.headers[.accessControlAllowHeaders] =
                ([Self.requestHeaders] + mirrored).joined(separator: ", ")
            response.headers[.accessControlMaxAge] = "600"
        } else {
            response = try await next(request, context)
            response.headers[.accessControlExposeHeaders] = Self.responseHeaders
        }
        // Never with credentials: there are no cookies here.
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.vary] = "Origin"
        return response
    }
}
