internal import Envelopes
internal import Hummingbird

/// The Model Context Protocol at `/mcp`, for clients with sessions (up to 2025-11-25) and for those without (2026-07-28).
///
/// Nothing that matters lives here: calls are envelopes, answers are read from their history, so streams can be resumed and tasks be
/// asked for whatever has crashed in between.
struct MCPServer: Sendable {
    let gateway: GatewayRouter
    let sessions: SessionTable
    var settings: MCPSettings { gateway.mcp }

    init(gateway: GatewayRouter) {
        self.gateway = gateway
        sessions = SessionTable(
            limit: gateway.mcp.sessionLimit, idleLimit: gateway.mcp.sessionIdleLimit,
            gauge: gateway.metrics.mcpSessions)
    }

    /// Who asks, and how.
    struct Caller: Sendable {
        var version: ProtocolVersion
        /// `nil` for a stateless request.
        var session: Session?
        var meta: RequestMeta
        var request: Request
        var principal: Principal
    }

    enum Reply: Sendable {
        case result(MCPResult)
        /// When the envelope has ended.
        case call(ToolCall)
        case listen(ChangeWatch)
    }

    /// An envelope whose end is somebody's answer.
    struct ToolCall: Sendable {
        var requestID: RawJSON
        var envelopeID: String
        /// `nil` where it isn't known which it was.
        var tool: Tool?
        var progress: CallProgress
        /// How long the caller waits for it at most.
        var limit: Duration
        /// What the caller gets when that is over: a task, or words.
        var becomesTask = false
        /// Of the connection that waits.
        var slot: StreamSlot
        /// For a task's result: which task.
        var relatedTask: String?
        /// Of the session; 0 outside of one.
        var number = 0
    }

    /// Those that tell of envelopes, whoever has submitted them.
    private static let readingMethods: Set = [
        "resources/read", "resources/subscribe", "prompts/get", "completion/complete",
    ]

    /// What the metrics name; anything else is a client's.
    static let methods: Set = [
        "tools/list", "tools/call", "resources/list", "resources/templates/list", "resources/read",
        "resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get", "completion/complete", "ping",
        "logging/setLevel", "tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update",
        "server/discover", "subscriptions/listen",
    ]

    /// - Throws: `JSONRPCError`, `Problem`, `StoreError`.
    func answer(_ request: JSONRPCRequest, _ caller: Caller) async throws -> Reply {
        let params = request.params
        if Self.readingMethods.contains(request.method) { try caller.principal.require(.read) }
        switch request.method {
        case "tools/list": return try .result(listTools(params, caller))
        case "tools/call": return try await callToolTraced(request, caller)
        case "resources/list": return try await .result(listResources(params, caller))
        case "resources/templates/list": return try .result(listResourceTemplates(params))
        case "resources/read": return try await .result(readResource(params, caller))
        case "prompts/list": return try .result(listPrompts(params))
        case "prompts/get": return try await .result(getPrompt(params))
        case "completion/complete": return try await .result(complete(params))
        default: break
        }
        guard let session = caller.session else { return try await answerStateless(request, caller) }
        switch request.method {
        case "ping": return .result(.empty)
        case "logging/setLevel":
            let level = try LogLevel(json: params["level"], name: "level")
            session.withMachine { $0.set(logLevel: level) }
            return .result(.empty)
        case "resources/subscribe": return try await .result(subscribe(params, session))
        case "resources/unsubscribe": return try .result(unsubscribe(params, session))
        case _ where caller.version < .november2025: throw JSONRPCError.unknownMethod(request.method)
        case "tasks/get": return try await .result(getTask(params, caller))
        case "tasks/result": return try await taskResult(request, caller, session)
        case "tasks/list": return try await .result(listTasks(params, caller, session))
        case "tasks/cancel": return try await .result(cancelTask(params, caller))
        default: throw JSONRPCError.unknownMethod(request.method)
        }
    }

    private func answerStateless(_ request: JSONRPCRequest, _ caller: Caller) async throws -> Reply {
        switch request.method {
        case "server/discover": return .result(discover())
        case "subscriptions/listen": return try await .listen(watch(request.params, caller))
        case "tasks/get":
            try caller.requireTasks()
            return try await .result(getTask(request.params, caller))
        case "tasks/cancel":
            try caller.requireTasks()
            return try await .result(cancelTask(request.params, caller))
        case "tasks/update":
            try caller.requireTasks()
            return try await .result(updateTask(request.params, caller))
        default: throw JSONRPCError.unknownMethod(request.method)
        }
    }
}
