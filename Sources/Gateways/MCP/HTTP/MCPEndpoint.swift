internal import Envelopes
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Telemetry

/// `/mcp`
extension MCPServer {
    typealias Context = GatewayRouter.Context

    /// Every message of a client.
    func post(_ request: Request, _ context: Context) async throws -> Response {
        var id: RawJSON?
        do {
            try checkContentType(request)
            var request = request
            let json = try await takeBody(of: &request)
            // What can be known of a request that is refused: its answer names it.
            id = json["id"].flatMap { $0.kind == .string || $0.kind == .number ? $0 : nil }
            let message = try JSONRPCMessage(json)
            return isStateless(message, json, request)
                ? try await postStateless(message, request, context.principal)
                : try await postInSession(message, request, context.principal)
        } catch let refusal as Refusal {
            return refusal.response(id)
        } catch {
            return refusal(for: error, "").response(id)
        }
    }

    /// `GET`: a session's own stream, or one that goes on.
    func get(_ request: Request, _ context: Context) async throws -> Response {
        try await withRefusals {
            try checkMethodExists(request)
            let session = try session(of: request, context.principal)
            guard request.accepts("text/event-stream") else {
                throw Refusal(.notAcceptable, "'Accept' must contain text/event-stream")
            }
            let slot = try gateway.access.streams.slot(for: context.principal)
            guard let text = request.headers[.lastEventID], !text.isEmpty else {
                return listen(session, after: nil, request, slot)
            }
            guard let eventID = SessionMachine.EventID(text) else {
                throw Refusal(.badRequest, "'Last-Event-ID' is none that this server has given")
            }
            if eventID.stream == 0 { return listen(session, after: eventID.place, request, slot) }
            guard let call = session.withMachine({ $0.calls[eventID.stream] }) else {
                throw Refusal(.badRequest, "the stream of this 'Last-Event-ID' can't be resumed any more")
            }
            return resume(call, session, after: eventID.place, request, slot)
        }
    }

    /// `DELETE`: ends a session.
    func delete(_ request: Request, _ context: Context) async throws -> Response {
        try await withRefusals {
            try checkMethodExists(request)
            _ = sessions.close(try session(of: request, context.principal).id)
            return Response(status: .noContent)
        }
    }

    // MARK: Which era

    /// By the body first: clients without sessions say in it which version they speak.
    private func isStateless(_ message: JSONRPCMessage, _ json: RawJSON, _ request: Request) -> Bool {
        if json["params"]?["_meta"]?[RequestMeta.Key.protocolVersion] != nil { return true }
        if case .request(let request) = message, request.method == "initialize" { return false }
        guard let version = request.headers[.mcpProtocolVersion] else { return false }
        return ProtocolVersion(rawValue: version)?.isStateless ?? true
    }

    private func postStateless(
        _ message: JSONRPCMessage, _ request: Request, _ principal: Principal
    ) async throws -> Response {
        let headers = RoutingHeaders(request.headers)
        switch message {
        case .response: throw JSONRPCError(.invalidRequest, "there are no responses to send in this protocol version")
        case .notification:
            try RoutingHeaders.checkServed(headers.version.first ?? "")
            return Response(status: .accepted)
        case .request(let call):
            try request.checkAccept()
            try headers.check(call)
            let caller = Caller(
                version: .july2026, session: nil, meta: try RequestMeta(call.params), request: request,
                principal: principal)
            return try await respond(to: call, caller)
        }
    }

    private func postInSession(
        _ message: JSONRPCMessage, _ request: Request, _ principal: Principal
    ) async throws -> Response {
        if case .request(let call) = message, call.method == "initialize" {
            return try initialize(call, request, principal)
        }
        let session = try session(of: request, principal)
        switch message {
        case .response: return Response(status: .accepted)
        case .notification(let method, let params):
            if method == "notifications/cancelled", let id = params["requestId"] { try await cancel(id, session) }
            return Response(status: .accepted)
        case .request(let call):
            try request.checkAccept()
            let caller = Caller(
                version: session.version, session: session, meta: try RequestMeta(call.params), request: request,
                principal: principal)
            return try await respond(to: call, caller)
        }
    }

    private func initialize(_ call: JSONRPCRequest, _ request: Request, _ principal: Principal) throws -> Response {
        try request.checkAccept()
        guard let requested = call.params["protocolVersion"]?.string else {
            throw JSONRPCError(.invalidParams, "'protocolVersion' must be a string")
        }
        let versions = ProtocolVersion.withSessions
        // One that isn't spoken here is answered with the latest that is; the client decides whether it can live with that.
        let version = versions.first { $0.rawValue == requested } ?? .november2025
        guard let session = sessions.open(version, of: principal.id, gateway.tools) else {
            var refusal = Refusal(.serviceUnavailable, "too many sessions are in use; try again later")
            refusal.headers[.retryAfter] = "30"
            throw refusal
        }
        var response = Response(json: JSONRPC.response(call.id, Self.initialized(version).json(version)))
        response.headers[.mcpSessionID] = session.id
        return response
    }

    private func cancel(_ requestID: RawJSON, _ session: Session) async throws {
        guard let call = session.withMachine({ $0.cancel(requestID) }) else { return }
        session.wake(call.number)
        if !call.onlyWaits { try await gateway.cancel(call.envelopeID) }
    }

    // MARK: Answers

    private func respond(to call: JSONRPCRequest, _ caller: Caller) async throws -> Response {
        do {
            let reply = try await answer(call, caller)
            count(call, isError: false)
            switch reply {
            case .result(let result): return Response(json: JSONRPC.response(call.id, result.json(caller.version)))
            case .call(let toolCall): return stream(toolCall, caller)
            case .listen(let watch):
                guard caller.request.accepts("text/event-stream") else {
                    throw Refusal(.notAcceptable, "'Accept' must contain text/event-stream")
                }
                let slot = try gateway.access.streams.slot(for: caller.principal)
                return listen(watch, call.id, caller.request, slot)
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            count(call, isError: true)
            // In a session an error is an answer like any other; without one the status tells of it, too.
            var refusal = self.refusal(for: error, call.method)
            if caller.session != nil, ![.forbidden, .tooManyRequests].contains(refusal.status) { refusal.status = .ok }
            return refusal.response(call.id)
        }
    }

    private func count(_ call: JSONRPCRequest, isError: Bool) {
        let method = Self.methods.contains(call.method) ? call.method : "other"
        gateway.metrics.mcpRequest(method, isError: isError).increment()
    }

    private func refusal(for error: any Error, _ method: String) -> Refusal {
        switch error {
        case let error as JSONRPCError: return Refusal(error.code.status, error)
        case let problem as Problem:
            let error = JSONRPCError(problem)
            return Refusal(
                error.code == .invalidParams ? error.code.status : problem.code.status, error, problem.headers)
        case let error as StoreError:
            let problem = Problem(error)
            if problem.code == .internalError {
                gateway.logger.error("statement refused", metadata: ["method": "\(method)", "error": "\(error)"])
            }
            return refusal(for: problem, method)
        default:
            gateway.logger.error("unexpected error", metadata: ["method": "\(method)", "error": "\(error)"])
            return refusal(for: Problem(.internalError, "The gateway's log has the reason"), method)
        }
    }

    private func withRefusals(_ body: () async throws -> Response) async throws -> Response {
        do {
            return try await body()
        } catch let refusal as Refusal {
            return refusal.response(nil)
        }
    }
}
