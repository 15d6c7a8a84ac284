internal import Envelopes
internal import Hummingbird

/// `tools/list` and `tools/call`
extension MCPServer {
    private static let pageSize = 100

    func listTools(_ params: RawJSON, _ caller: Caller) throws(JSONRPCError) -> MCPResult {
        let catalogue = gateway.tools
        let own = OwnTool.allCases.filter { tool in
            settings.hasOwnTools && catalogue[tool.rawValue] == nil && caller.principal.may(tool.scope)
                && (gateway.faults != nil || !tool.needsFaults)
        }
        let names = (caller.principal.may(.submit) ? catalogue.tools.map(\.name) : []) + own.map(\.rawValue)
        let (page, next) = try Cursor.page(of: names, params, size: Self.pageSize) { $0 }
        let version = caller.version
        return MCPResult(
            cache: .init(milliseconds: settings.toolsAge.milliseconds, isPublic: caller.principal.id == nil)
        ) { writer in
            writer.name("tools")
            writer.beginArray()
            for name in page {
                if let tool = catalogue[name] {
                    tool.write(to: &writer, version)
                } else {
                    OwnTool(rawValue: name)?.write(to: &writer)
                }
            }
            writer.endArray()
            writer.member("nextCursor", next)
        }
    }

    func callTool(_ request: JSONRPCRequest, _ caller: Caller) async throws -> Reply {
        let params = request.params
        guard let name = params["name"]?.string else {
            throw JSONRPCError(.invalidParams, "'name' must be a string")
        }
        let arguments = params["arguments"]?.nonNull ?? .emptyObject
        guard arguments.kind == .object else {
            throw JSONRPCError(.invalidParams, "'arguments' must be an object, is \(arguments.kind)")
        }
        if let tool = gateway.tools[name] { return try await call(tool, arguments, request, caller) }
        guard settings.hasOwnTools, let own = OwnTool(rawValue: name) else {
            throw JSONRPCError(.invalidParams, "there is no tool '\(name.prefix(128))'")
        }
        try caller.principal.require(own.scope)
        if caller.asksForTask(params) {
            throw JSONRPCError(.methodNotFound, "the tool '\(name)' answers at once and is no task")
        }
        return try await .result(call(own, arguments, caller).result(caller.version))
    }

    private func call(
        _ tool: Tool, _ arguments: RawJSON, _ request: JSONRPCRequest, _ caller: Caller
    ) async throws -> Reply {
        try caller.principal.require(.submit)
        // Before anything happens: who can't wait for the answer shall not have begun.
        let slot = try gateway.access.streams.slot(for: caller.principal)
        if caller.version.isStateless, let schema = tool.inputSchema?.json {
            try RoutingHeaders(caller.request.headers).check(arguments, of: MirroredArgument.all(in: schema))
        }
        if caller.session?.withMachine({ $0.isInUse(request.id) }) == true {
            throw JSONRPCError(.invalidRequest, "a request with this 'id' is under way")
        }
        try checkTaskSupport(of: tool, request, caller)
        let payload: RawJSON
        do throws(ArgumentProblem) {
            payload = try tool.payload(for: arguments)
        } catch {
            return .result(ToolResult(error: error.message).result(caller.version))
        }
        var submission = SubmissionRequest(
            tool, payload: payload, schedule: try Schedule(timeoutSeconds: tool.timeoutSeconds))
        submission.trace = caller.trace
        let id = try await gateway.submit(submission, from: caller.request, by: caller.principal).id

        let level = caller.session.map { $0.withMachine(\.logLevel) } ?? caller.meta.logLevel
        let progress = CallProgress(token: caller.meta.progressToken, logLevel: level)
        let number = caller.session?.withMachine { machine in
            machine.begin(request.id, envelopeID: id, tool: tool.name, progress: progress).number
        }
        if caller.asksForTask(request.params) {
            caller.session?.withMachine { $0.end(number ?? 0) }
            return try await .result(createdTask(id, caller.session))
        }
        let becomesTask = caller.version.isStateless && caller.meta.knowsTasks && tool.taskSupport != .forbidden
        let patience = tool.taskSupport == .required ? .zero : min(settings.taskAfter, settings.callTimeout)
        return .call(
            ToolCall(
                requestID: request.id, envelopeID: id, tool: tool, progress: progress,
                limit: becomesTask ? patience : settings.callTimeout, becomesTask: becomesTask, slot: slot,
                number: number ?? 0))
    }

    /// Clients of versions that have no tasks wait for every tool.
    private func checkTaskSupport(of tool: Tool, _ request: JSONRPCRequest, _ caller: Caller) throws(JSONRPCError) {
        switch tool.taskSupport {
        case .optional: return
        case .forbidden:
            if caller.asksForTask(request.params) {
                throw JSONRPCError(.methodNotFound, "the tool '\(tool.name)' can't be called as a task")
            }
        case .required:
            try caller.requireTasks()
            if caller.version == .november2025, !caller.asksForTask(request.params) {
                throw JSONRPCError(.methodNotFound, "the tool '\(tool.name)' must be called as a task, with 'task'")
            }
        }
    }
}

extension MCPServer.Caller {
    /// 2025-11-25: the client decides. Since 2026-07-28 the server does.
    func asksForTask(_ params: RawJSON) -> Bool {
        guard version == .november2025, let task = params["task"] else { return false }
        return task.kind == .object
    }
}

extension Tool {
    fileprivate func write(to writer: inout JSONWriter, _ version: ProtocolVersion) {
        writer.beginObject()
        writeMembers(to: &writer)
        // Before 2026-07-28 only objects can be structured.
        if let outputSchema, version >= .june2025, version.isStateless || outputSchema.isOfObjects {
            writer.name("outputSchema")
            writer.append(outputSchema.json)
        }
        if version == .november2025 {
            writer.name("execution")
            writer.beginObject()
            writer.member("taskSupport", taskSupport.rawValue)
            writer.endObject()
        }
        writer.endObject()
    }
}

extension Duration {
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
