internal import Envelopes
internal import HTTPTypes
internal import Transports

/// What the gateway's own tools do: the same as its REST endpoints.
extension MCPServer {
    private static let childLimit = 100

    func call(_ tool: OwnTool, _ arguments: RawJSON, _ caller: Caller) async throws -> ToolResult {
        let problems = tool.schema.problems(with: arguments)
        guard problems.isEmpty else {
            return ToolResult(
                error: problems.map { "arguments\($0.pointer.isEmpty ? ": " : "")\($0)" }.joined(separator: "\n"))
        }
        do {
            return try await ToolResult(answer(of: tool, arguments, caller))
        } catch let problem as Problem where problem.code.status.kind == .clientError {
            return ToolResult(error: problem.detail)
        } catch let error as TransportError {
            return ToolResult(error: "the broker: \(error.message)")
        }
    }

    private func answer(of tool: OwnTool, _ arguments: RawJSON, _ caller: Caller) async throws -> RawJSON {
        switch tool {
        case .submit: return try await submit(arguments, caller)
        case .status: return try await status(of: arguments["id"]?.string ?? "")
        case .list: return try await list(arguments)
        case .cancel:
            let id = arguments["id"]?.string ?? ""
            guard try await gateway.store.envelope(id) != nil else { throw gateway.unknownEnvelope(id) }
            try await gateway.cancel(id)
            return try await status(of: id)
        case .retry:
            let id = arguments["id"]?.string ?? ""
            _ = try await gateway.retry(id, from: arguments["from"]?.string.flatMap(Retry.Start.init) ?? .failedStep)
            return try await status(of: id)
        case .listActors:
            let actors = try await gateway.store.actorsWithDeadLetters()
            return RawJSON { writer in
                writer.beginObject()
                writer.name("actors")
                writer.append(strings: actors)
                writer.endObject()
            }
        case .injectFault:
            let (record, _) = try await gateway.faultDesk().inject(arguments, by: caller.principal.id)
            return RawJSON { record.write(to: &$0, now: Timestamp.microsecondsNow()) }
        case .listFaults:
            return try await gateway.faultDesk().list(
                FaultFilter(
                    actor: arguments["actor"]?.string, owner: arguments["owner"]?.string,
                    isActive: arguments["all"]?.boolean != true))
        case .resetFaults:
            if let id = arguments["id"]?.string {
                return try await gateway.faultDesk().reset(id, by: caller.principal.id)
            }
            return try await gateway.faultDesk().reset(
                FaultFilter(actor: arguments["actor"]?.string, owner: arguments["owner"]?.string),
                by: caller.principal.id)
        case .listDeadLetters, .replayDeadLetters:
            let selection = try DeadLetterSelection(arguments.members, limits: GatewayRouter.deadLetterLimits)
            return try await gateway.act(
                tool == .replayDeadLetters && !selection.isDryRun ? .replay : .list, on: selection)
        }
    }

    private func submit(_ arguments: RawJSON, _ caller: Caller) async throws -> RawJSON {
        let members = arguments.members.map { member in
            guard member.isNamed("route") else { return member }
            let route = RawJSON { writer in
                writer.beginObject()
                writer.name("actors")
                writer.append(member.value)
                writer.endObject()
            }
            return RawJSON.Member(name: "route", value: route)
        }
        var submission = try SubmissionRequest(members, tools: gateway.tools)
        submission.trace = caller.trace
        let id = try await gateway.submit(submission, from: caller.request, by: caller.principal).id
        return RawJSON { writer in
            writer.beginObject()
            writer.member("id", id)
            writer.member("status", EnvelopeStatus.pending.rawValue)
            writer.member("resource", EnvelopeResource.uri(id))
            writer.endObject()
        }
    }

    private func status(of id: String) async throws -> RawJSON {
        guard let envelope = try await gateway.store.envelope(id) else { throw gateway.unknownEnvelope(id) }
        let children = try await gateway.store.envelopes(
            EnvelopeFilter(parentID: id, isAscending: true), limit: Self.childLimit)
        return RawJSON { writer in
            writer.beginObject()
            writer.name("envelope")
            envelope.write(to: &writer, withBodies: true)
            writer.member("children", children)
            writer.endObject()
        }
    }

    private func list(_ arguments: RawJSON) async throws -> RawJSON {
        let limit = arguments["limit"]?.integer ?? 20
        let page: [EnvelopeRecord]
        do {
            page = try await gateway.store.envelopes(
                EnvelopeFilter(
                    status: arguments["status"]?.string.flatMap(EnvelopeStatus.init),
                    parentID: arguments["parent"]?.string),
                after: EnvelopePlace(arguments), limit: limit)
        } catch let error as JSONRPCError { throw Problem(.invalidRequest, error.message, at: "/cursor") }
        return RawJSON { writer in
            writer.beginObject()
            writer.member("envelopes", page)
            writer.member("cursor", EnvelopePlace.next(after: page, limit: limit))
            writer.endObject()
        }
    }
}
