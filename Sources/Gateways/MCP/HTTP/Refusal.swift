internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

/// A request that isn't answered but refused, with an HTTP status.
struct Refusal: Error, Sendable {
    var status: HTTPResponse.Status
    var error: JSONRPCError
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ message: String) {
        self.init(status, JSONRPCError(.invalidRequest, message))
    }

    init(_ status: HTTPResponse.Status, _ error: JSONRPCError, _ headers: HTTPFields = [:]) {
        self.status = status
        self.error = error
        self.headers = headers
    }

    /// - Parameter id: of the request, where it is known.
    func response(_ id: RawJSON?) -> Response {
        var response = Response(status: status, json: JSONRPC.failure(id, error))
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}

extension JSONRPCError.Code {
    /// Of the answer, since 2026-07-28.
    var status: HTTPResponse.Status {
        switch self {
        case .parseError, .invalidRequest, .invalidParams, .headerMismatch, .missingCapability, .unsupportedVersion:
            .badRequest
        case .methodNotFound, .resourceNotFound: .notFound
        case .internalError: .internalServerError
        }
    }
}

extension RoutingHeaders {
    init(_ fields: HTTPFields) {
        version = fields[values: .mcpProtocolVersion]
        method = fields[values: .mcpMethod]
        name = fields[values: .mcpName]
        let prefix = "mcp-param-"
        for field in fields where field.name.canonicalName.hasPrefix(prefix) {
            parameters[String(field.name.canonicalName.dropFirst(prefix.count)), default: []].append(field.value)
        }
    }
}

extension HTTPField.Name {
    // The names are valid, so the initializer doesn't fail; the fallback is never taken.
    static let mcpSessionID = HTTPField.Name("Mcp-Session-Id") ?? .ifMatch
    static let mcpProtocolVersion = HTTPField.Name("MCP-Protocol-Version") ?? .ifMatch
    static let mcpMethod = HTTPField.Name("Mcp-Method") ?? .ifMatch
    static let mcpName = HTTPField.Name("Mcp-Name") ?? .ifMatch
    static let host = HTTPField.Name("Host") ?? .ifMatch
}
