internal import HTTPTypes
internal import Hummingbird

/// Tells OAuth clients that are not let in where to look for a token (RFC 9728, section 5.1).
struct ChallengeMiddleware: RouterMiddleware {
    typealias Context = GatewayContext

    let resource: ProtectedResource

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        if let challenge = response.headers[.wwwAuthenticate] {
            let metadata = #"resource_metadata="\#(resource.metadataURL(for: request.uri.path))""#
            response.headers[.wwwAuthenticate] = challenge + (challenge == "Bearer" ? " " : ", ") + metadata
        }
        return response
    }
}
