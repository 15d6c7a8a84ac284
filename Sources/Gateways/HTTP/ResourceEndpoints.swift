internal import Hummingbird

extension GatewayRouter {
    /// What OAuth clients look for before they have a token; nothing where tokens don't count.
    var resourceEndpoints: [Endpoint] {
        guard let resource = access.resource else { return [] }
        let schema: Schema =
            #"{"type":"object","required":["resource","authorization_servers"],"properties":{"resource":{"type":"string"}}}"#
        return [("", "getResource"), ("/mcp", "getMCPResource")].map { suffix, name in
            Endpoint(
                method: .get, path: ProtectedResource.path + suffix, name: name, access: .open,
                summary: "Who issues tokens for this gateway (RFC 9728)",
                answers: [.init(status: .ok, text: "The document", schema: schema)]
            ) { _, _ in Response(json: resource.metadata(suffix)) }
        }
    }
}
