internal import Envelopes
internal import PostgreSQL

/// Tasks: in 2025-11-25 a client asks for one, since 2026-07-28 a call becomes one when it takes long. Every envelope is one.
extension MCPServer {
    func createdTask(_ id: String) async throws -> MCPResult {
        let task = try await task(id)
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
        return MCPResult { writer in
            if caller.version.isStateless {
                task.writeDetails(to: &writer, caller.version)
            } else {
                task.writeMembers(to: &writer, caller.version)
            }
        }
    }

    /// `tasks/result`: when the task has ended, what the call would have returned.
    func taskResult(_ request: JSONRPCRequest, _ caller: Caller, _ session: Session) async throws -> Reply {
        let task = try await task(taskID(request.params), caller)
        let id = task.envelope.id
        let tool = session.withMachine { machine in
            machine.calls.values.first { $0.envelopeID == id }.flatMap { gateway.tools[$0.tool] }
        }
        if task.envelope.status.isFinal {
            return .result(task.toolResult(tool?.outputSchema).result(caller.version, relatedTask: id))
        }
        let slot = try gateway.access.streams.slot(for: caller.principal)
        let progress = CallProgress(token: nil, logLevel: nil)
        let number = session.withMachine { machine in
            machine.begin(request.id, envelopeID: id, tool: tool?.name ?? "", progress: progress).number
        }
        return .call(
            ToolCall(
                requestID: request.id, envelopeID: id, tool: tool, progress: progress, limit: settings.callTimeout,
                slot: slot, relatedTask: id, number: number))
    }

    /// `tasks/list`: those that this session has called.
    func listTasks(_ params: RawJSON, _ caller: Caller, _ session: Session) async throws -> MCPResult {
        guard try Cursor.parts(params, count: 1) == nil else { throw Cursor.unknown }
        let ids = session.withMachine { Set($0.calls.values.map(\.envelopeID)) }
        let tasks = try await gateway.store.envelopes(Array(ids)).map(TaskState.init)
        return MCPResult { writer in
            writer.name("tasks")
            writer.beginArray()
            for task in tasks {
                writer.beginObject()
                task.writeMembers(to: &writer, caller.version)
                writer.endObject()
            }
            writer.endArray()
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
        try await gateway.cancel(id)
        if caller.version.isStateless { return .empty }
        let task = try await task(id, caller)
        return MCPResult { task.writeMembers(to: &$0, caller.version) }
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
        guard caller.maySee(task) else { throw Self.unknownTask }
        return task
    }

    private func task(_ id: String) async throws -> TaskState {
        guard EnvelopeID.isAcceptable(id, lengthLimit: EnvelopeID.childLengthLimit),
            let envelope = try await gateway.store.envelope(id)
        else { throw Self.unknownTask }
        return TaskState(envelope: envelope)
    }

    private static var unknownTask: JSONRPCError { JSONRPCError(.invalidParams, "there is no task of this id") }
}

extension MCPServer.Caller {
    /// A task is his who has submitted it; one that is nobody's is for those who may see all.
    func maySee(_ task: TaskState) -> Bool {
        guard let owner = task.envelope.principal else { return principal.may(.read) }
        return principal.id == nil || owner == principal.id
    }
}
