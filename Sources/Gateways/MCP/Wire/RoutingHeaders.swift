internal import Envelopes
internal import FoundationEssentials

/// The headers that repeat a stateless request's body, for whoever routes on the way: they must say the same as the body.
struct RoutingHeaders: Sendable, Hashable {
    /// Each as often as it was sent.
    var version: [String] = []
    var method: [String] = []
    var name: [String] = []
    /// `Mcp-Param-...`, by lower-case name without that prefix.
    var parameters: [String: [String]] = [:]

    /// The parameter that `Mcp-Name` repeats, by method.
    private static let names = [
        "tools/call": "name", "prompts/get": "name", "resources/read": "uri", "tasks/get": "taskId",
        "tasks/update": "taskId", "tasks/cancel": "taskId",
    ]

    /// Checks a request without a session: the first thing that is wrong is thrown.
    func check(_ request: JSONRPCRequest) throws(JSONRPCError) {
        for (name, values) in [("MCP-Protocol-Version", version), ("Mcp-Method", method), ("Mcp-Name", self.name)]
        where values.count > 1 {
            throw JSONRPCError(.headerMismatch, "the header \(name) stands twice")
        }
        let meta = request.params["_meta"]
        guard let meta, meta.kind == .object, let bodyVersion = meta[RequestMeta.Key.protocolVersion],
            let capabilities = meta[RequestMeta.Key.clientCapabilities]
        else {
            throw JSONRPCError(
                .invalidParams,
                "'params._meta' must have '\(RequestMeta.Key.protocolVersion)' and '\(RequestMeta.Key.clientCapabilities)'"
            )
        }
        guard version.first != nil, version.first == bodyVersion.string else {
            throw JSONRPCError(.headerMismatch, "the header MCP-Protocol-Version must be the version of 'params._meta'")
        }
        guard method.first == request.method else {
            throw JSONRPCError(.headerMismatch, "the header Mcp-Method must be the request's method")
        }
        try checkName(request)
        guard let text = bodyVersion.string else {
            throw JSONRPCError(.invalidParams, "'\(RequestMeta.Key.protocolVersion)' must be a string")
        }
        try Self.checkServed(text)
        guard capabilities.kind == .object else {
            throw JSONRPCError(.invalidParams, "'\(RequestMeta.Key.clientCapabilities)' must be an object")
        }
    }

    static func checkServed(_ version: String) throws(JSONRPCError) {
        if ProtocolVersion(rawValue: version)?.isStateless == true { return }
        let data = RawJSON { writer in
            writer.beginObject()
            writer.name("supported")
            writer.append(strings: ProtocolVersion.stateless.map(\.rawValue))
            writer.member("requested", String(version.prefix(100)))
            writer.endObject()
        }
        throw JSONRPCError(.unsupportedVersion, "this protocol version is not spoken here", data: data)
    }

    private func checkName(_ request: JSONRPCRequest) throws(JSONRPCError) {
        guard let parameter = Self.names[request.method], let body = request.params[parameter]?.string else { return }
        // The library's clients don't send it for tasks.
        if name.isEmpty && request.method.hasPrefix("tasks/") { return }
        guard let header = name.first.flatMap(Self.decoded), header == body else {
            throw JSONRPCError(.headerMismatch, "the header Mcp-Name must be the parameter '\(parameter)'")
        }
    }

    /// A tool may ask that arguments are repeated: `x-mcp-header` in its schema. Header and argument are there both, and equal, or
    /// neither is.
    func check(_ arguments: RawJSON, of mirrored: [MirroredArgument]) throws(JSONRPCError) {
        for argument in mirrored {
            let header = "Mcp-Param-\(argument.header)"
            let values = parameters[argument.header.lowercased()] ?? []
            if values.count > 1 { throw JSONRPCError(.headerMismatch, "the header \(header) stands twice") }
            let text = argument.text(in: arguments)
            guard values.first.flatMap(Self.decoded) == text, values.isEmpty == (text == nil) else {
                let path = argument.path.joined(separator: ".")
                throw JSONRPCError(.headerMismatch, "the header \(header) must be the argument '\(path)'")
            }
        }
    }

    /// Text that a header can't hold comes as `=?base64?...?=`. `nil` where that can't be decoded.
    static func decoded(_ value: String) -> String? {
        guard value.hasPrefix("=?base64?"), value.hasSuffix("?="), value.utf8.count >= 11 else { return value }
        let text = String(value.dropFirst(9).dropLast(2))
        // Only the one way of writing it: what routers and we read must be the same.
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return String(validating: data, as: UTF8.self)
    }
}
