internal import Envelopes

/// What a request says about itself in `_meta`.
struct RequestMeta: Sendable, Hashable {
    /// A string or a number, as it came.
    var progressToken: RawJSON?
    /// From which level on the caller wants log messages; `nil` for none.
    var logLevel: LogLevel?
    /// Whether a call may be answered with a task.
    var knowsTasks = false
    /// The trace that the caller is in.
    var trace = CallerTrace([])

    /// - Parameter params: of a request.
    init(_ params: RawJSON) throws(JSONRPCError) {
        guard let meta = params["_meta"], meta.kind != .null else { return }
        guard meta.kind == .object else {
            throw JSONRPCError(.invalidParams, "'_meta' must be an object, is \(meta.kind)")
        }
        let members = meta.members
        if let token = members["progressToken"], token.kind != .null {
            guard token.kind == .string || token.kind == .number, token.bytes.count <= 300 else {
                throw JSONRPCError(
                    .invalidParams, "'_meta.progressToken' must be a string or a number of at most 300 bytes")
            }
            progressToken = token.detached
        }
        if let level = members[Key.logLevel], level.kind != .null {
            logLevel = try LogLevel(json: level, name: Key.logLevel)
        }
        knowsTasks = members[Key.clientCapabilities]?["extensions"]?[Key.tasks] != nil
        trace = CallerTrace(members)
    }

    enum Key {
        static let protocolVersion = "io.modelcontextprotocol/protocolVersion"
        static let clientCapabilities = "io.modelcontextprotocol/clientCapabilities"
        static let logLevel = "io.modelcontextprotocol/logLevel"
        static let serverInfo = "io.modelcontextprotocol/serverInfo"
        static let subscriptionID = "io.modelcontextprotocol/subscriptionId"
        static let relatedTask = "io.modelcontextprotocol/related-task"
        /// The extension.
        static let tasks = "io.modelcontextprotocol/tasks"
        /// Ours: which envelope a result comes from.
        static let envelopeID = "troupe/envelopeId"
    }
}

extension LogLevel {
    init(json: RawJSON?, name: String) throws(JSONRPCError) {
        guard let level = json?.string.flatMap(LogLevel.init) else {
            let known = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
            throw JSONRPCError(.invalidParams, "'\(name)' must be one of: \(known)")
        }
        self = level
    }
}
