internal import Envelopes

/// What OAuth clients are told of this gateway (RFC 9728): who issues tokens for it.
struct ProtectedResource: Sendable, Hashable {
    /// By which clients reach the gateway, without a slash at the end.
    var publicURL: String
    var issuers: [String]

    static let path = "/.well-known/oauth-protected-resource"

    /// As whom tokens may call the gateway: itself, and its MCP endpoint.
    var identifiers: [String] { [publicURL, publicURL + "/mcp"] }

    /// - Parameter path: of the request, for which the document is.
    func metadataURL(for path: String) -> String { publicURL + Self.path + (path == "/mcp" ? "/mcp" : "") }

    /// - Parameter suffix: what follows the well-known path: the resource's own.
    func metadata(_ suffix: String) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.member("resource", publicURL + suffix)
            writer.name("authorization_servers")
            writer.append(strings: issuers)
            writer.name("scopes_supported")
            // What sidecars do is not for people and agents to ask for.
            writer.append(strings: Scope.allCases.filter { $0 != .internal }.map(\.rawValue))
            writer.name("bearer_methods_supported")
            writer.append(strings: ["header"])
            writer.member("resource_name", "Troupe gateway")
            writer.endObject()
        }
    }
}
