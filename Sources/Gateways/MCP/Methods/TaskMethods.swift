internal import Envelopes

/// Tasks: in 2025-11-25 a client asks for one, since 2026-07-28 a call becomes one when it takes long. Every envelope is one.
extension MCPServer.Caller {
    /// Since 2026-07-28 tasks are for clients that say, with each request, that they know them.
    func requireTasks() throws(JSONRPCError) {
        guard version.isStateless, !meta.knowsTasks else { return }
        let data = RawJSON { writer in
            for name in ["requiredCapabilities", "extensions", RequestMeta.Key.tasks] {
                writer.beginObject()
                writer.name(name)
            }
            writer.append(.emptyObject)
            for _ in 0..<3 { writer.endObject() }
        }
        throw JSONRPCError(
            .missingCapability, "this is for clients with the capability 'extensions.\(RequestMeta.Key.tasks)'",
            data: data)
    }
}

extension MCPServer {
    private static let pageSize = 50

    /// 2025-11-25: the answer to a call that is to be a task. From now on the session hears of it.
    func createdTask(_ id: String, _ session: Session?) async throws -> MCPResult {
        let last = try await gateway.store.lastChanges(of: [id])[id] ?? 0
        let task = try await task(id)
        session?.withMachine { $0.watch(task: id, last: last) }
        session?.wake(0)
        return MCPResult(meta: [.init(name: RequestMeta.Key.envelopeID, value: RawJSON(string: id))]) { writer in
            writer.name("task")
            writer.beginObject()
            task.writeMembers(to: &writer, .november2025)
            writer.endObject()
        }
    }

    /// A call's answer that is a task.
    func taskInstead(of id: String) async throws -> MCPResult {
        let task = try await task(id)
        return MCPResult(type: "task") { task.writeMembers(to: &$0, .july2026) }
    }

    /// `tasks/get`
    func getTask(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        let task = try await task(taskID(params), caller)
        return MCPResult { task.write(to: &$0, caller.version) }
    }

    /// `tasks/result`: when the task has ended, what the call would have returned.
    func taskResult(_ request: JSONRPCRequest, _ caller: Caller, _ session: Session) async throws -> Reply {
        let task = try await task(taskID(request.params), caller)
        let id = task.envelope.id
        if task.envelope.status.isFinal { return .result(task.toolResult.result(caller.version, relatedTask: id)) }
        let slot = try gateway.access.streams.slot(for: caller.principal)
        let progress = CallProgress(token: nil, logLevel: nil)
        let number = session.withMachine { machine in
            machine.begin(request.id, envelopeID: id, tool: task.tool?.name ?? "", progress: progress, onlyWaits: true)
                .number
        }
        return .call(
            ToolCall(
                requestID: request.id, envelopeID: id, tool: task.tool, progress: progress, limit: settings.callTimeout,
                slot: slot, relatedTask: id, number: number))
    }

    /// `tasks/list`: those that this session has called, the latest first.
    func listTasks(_ params: RawJSON, _ caller: Caller, _ session: Session) async throws -> MCPResult {
        let ids = session.withMachine { machine in
            // The result of a task that is waited for is a call as well.
            var seen: Set<String> = []
            return machine.calls.values.sorted { $0.number > $1.number }.map(\.envelopeID).filter {
                seen.insert($0).inserted
            }
        }
        let (page, next) = try Cursor.page(of: ids, params, size: Self.pageSize) { $0 }
        let tasks = try await tasks(page)
        return MCPResult { writer in
            writer.name("tasks")
            writer.beginArray()
            for task in page.compactMap({ tasks[$0] }) {
                writer.beginObject()
                task.writeMembers(to: &writer, caller.version)
                writer.endObject()
            }
            writer.endArray()
            writer.member("nextCursor", next)
        }
    }

    /// `tasks/cancel`
    func cancelTask(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        let id = try taskID(params)
        let earlier = try await task(id, caller)
        if !caller.version.isStateless, earlier.envelope.status.isFinal {
            throw JSONRPCError(
                .invalidParams, "the task has ended already: \(earlier.status(caller.version))")
        }
        // Who may see what is nobody's may not end it for that.
        if earlier.envelope.principal == nil || earlier.envelope.principal != caller.principal.id {
            try caller.principal.require(.operate)
        }
        try await gateway.cancel(id)
        if caller.version.isStateless { return .empty }
        let task = try await task(id, caller)
        return MCPResult { task.write(to: &$0, caller.version) }
    }

    /// `tasks/update`: no task of ours asks its client for anything, so answers to questions are answers to none.
    func updateTask(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        _ = try await task(taskID(params), caller)
        return .empty
    }

    private func taskID(_ params: RawJSON) throws(JSONRPCError) -> String {
        guard let id = params["taskId"]?.string else {
            throw JSONRPCError(.invalidParams, "'taskId' must be a string")
        }
        return id
    }

    /// A task that the caller may see.
    private func task(_ id: String, _ caller: Caller) async throws -> TaskState {
        let task = try await task(id)
        guard caller.maySee(task.envelope) else { throw Self.unknownTask }
        return task
    }

    private func task(_ id: String) async throws -> TaskState {
        let isAcceptable = EnvelopeID.isAcceptable(id, lengthLimit: EnvelopeID.childLengthLimit)
        guard let task = try await tasks(isAcceptable ? [id] : [])[id] else { throw Self.unknownTask }
        return task
    }

    /// Those of the list that there are.
    func tasks(_ ids: some Collection<String>) async throws -> [String: TaskState] {
        guard !ids.isEmpty else { return [:] }
        let envelopes = try await gateway.store.results(of: Array(ids))
        return Dictionary(
            uniqueKeysWithValues: envelopes.map { ($0.id, state(of: $0)) })
    }

    private func state(of envelope: EnvelopeRecord) -> TaskState {
        TaskState(
            envelope: envelope, tool: envelope.tool.flatMap { gateway.tools[$0] }, retention: settings.retention)
    }

    private static var unknownTask: JSONRPCError { JSONRPCError(.invalidParams, "there is no task of this id") }
}

extension MCPServer.Caller {
    /// A task is his who has submitted it; one that is nobody's is for those who may see all.
    func maySee(_ envelope: EnvelopeRecord) -> Bool {
        guard let owner = envelope.principal else { return principal.may(.read) }
        return principal.id == nil || owner == principal.id
    }
}
