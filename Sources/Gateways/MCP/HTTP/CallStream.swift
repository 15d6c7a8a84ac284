internal import Envelopes
internal import EventLoops
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Telemetry

/// The answer to a call, which comes when its envelope has ended: as an event stream with what happens until then where the client takes
/// that, else as JSON.
extension MCPServer {
    func stream(_ call: ToolCall, _ caller: Caller) -> Response {
        let isEventStream = caller.request.accepts("text/event-stream")
        return response(caller.request, call.slot, isEventStream: isEventStream) { writer in
            let stream = CallStream(server: self, call: call, version: caller.version, session: caller.session)
            try await stream.run(after: 0, isEventStream: isEventStream, to: &writer)
        }
    }

    /// Goes on with the answer to a call whose connection was lost.
    func resume(
        _ call: SessionMachine.Call, _ session: Session, after lastID: Int64, _ request: Request, _ slot: StreamSlot
    ) -> Response {
        let toolCall = ToolCall(
            requestID: call.requestID, envelopeID: call.envelopeID, tool: gateway.tools[call.tool],
            progress: call.progress, limit: settings.callTimeout, slot: slot,
            number: call.number)
        return response(request, slot, isEventStream: true) { writer in
            let stream = CallStream(server: self, call: toolCall, version: session.version, session: session)
            try await stream.run(after: lastID, isEventStream: true, to: &writer)
        }
    }

    /// - Parameter write: is cancelled when the client hangs up, also while nothing is written.
    func response(
        _ request: Request, _ slot: StreamSlot, isEventStream: Bool,
        _ write: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        let body = ResponseBody { writer in
            gateway.metrics.mcpStreams.add(1)
            defer {
                gateway.metrics.mcpStreams.add(-1)
                withExtendedLifetime(slot) {}
            }
            do {
                try await request.body.consumeWithCancellationOnInboundClose { _ in try await write(&writer) }
            } catch is CancellationError {
                return
            }
            try await writer.finish(nil)
        }
        var headers = HTTPFields.eventStream
        if !isEventStream { headers[.contentType] = "application/json; charset=utf-8" }
        return Response(status: .ok, headers: headers, body: body)
    }
}

/// One connection that waits for a call's answer.
private struct CallStream {
    let server: MCPServer
    let call: MCPServer.ToolCall
    let version: ProtocolVersion
    let session: Session?

    private var gateway: GatewayRouter { server.gateway }

    func run(after lastID: Int64, isEventStream: Bool, to writer: inout any ResponseBodyWriter) async throws {
        let wakeUps = gateway.hub.wakeUps(for: [call.envelopeID])
        let hold = session?.hold(call.number, wakeUps.bell)
        let deadline = MonotonicTime.now.advanced(by: call.limit)
        let timer = Task {
            try await Task.sleep(for: call.limit)
            wakeUps.bell.yield()
        }
        defer {
            timer.cancel()
            if let hold { session?.release(hold) }
        }
        do {
            if isEventStream, version == .november2025, let id = eventID(lastID) {
                try await writer.write(.priming(id))
            }
            let answer: (result: MCPResult, place: Int64)?
            do {
                answer = try await self.answer(after: lastID, wakeUps, hold, deadline, isEventStream, &writer)
            } catch let error as StoreError where error.code != .cancelled {
                gateway.logger.warning(
                    "call not followed", metadata: ["envelope_id": "\(call.envelopeID)", "error": "\(error)"])
                answer = (ToolResult.unfinished(call.envelopeID).result(version, relatedTask: call.relatedTask), lastID)
            }
            guard let answer else { return }
            let json = JSONRPC.response(call.requestID, answer.result.json(version))
            if isEventStream {
                try await writer.write(.message(json, id: eventID(answer.place)))
            } else {
                try await writer.write(ByteBuffer(bytes: json.bytes))
            }
            session?.withMachine { $0.end(call.number) }
        } catch {
            await hungUp()
            throw error
        }
    }

    /// - Returns: `nil` when nobody waits for an answer here any more.
    private func answer(
        after lastID: Int64, _ wakeUps: WakeUps, _ hold: Session.Hold?, _ deadline: MonotonicTime,
        _ isEventStream: Bool, _ writer: inout any ResponseBodyWriter
    ) async throws -> (result: MCPResult, place: Int64)? {
        var progress = call.progress
        var place = lastID
        var final: EnvelopeUpdate?
        let isOver = { MonotonicTime.now >= deadline || !isWanted(hold) }
        let end = try await gateway.follower.follow(call.envelopeID, after: lastID, wakeUps, isOver: isOver) { event in
            switch event {
            case .silence: if isEventStream { try await writer.write(ByteBuffer(bytes: ServerSentEvent.keepAlive)) }
            case .update(let update):
                place = update.id
                if update.status.isFinal { final = update }
                guard isEventStream else { return }
                let notifications = progress.notifications(for: update)
                session?.withMachine { $0.told(call.number, progress) }
                for (index, notification) in notifications.enumerated() {
                    // The last one of an update tells that all of it has come; of the final one that is the answer itself.
                    let isLast = index == notifications.count - 1 && !update.status.isFinal
                    try await writer.write(.message(notification, id: isLast ? eventID(update.id) : nil))
                }
            }
        }
        guard isWanted(hold) else { return nil }
        switch end {
        case .finished:
            let result: ToolResult
            if let final {
                result = ToolResult(
                    envelopeID: call.envelopeID, status: final.status, result: final.result, error: final.error,
                    message: final.message, tool: call.tool)
            } else if let envelope = try await gateway.store.envelope(call.envelopeID) {
                result = TaskState(envelope: envelope, tool: call.tool).toolResult
            } else {
                result = ToolResult(error: "the envelope was deleted", envelopeID: call.envelopeID)
            }
            return (result.result(version, relatedTask: call.relatedTask), place)
        case .interrupted, .stopped:
            if call.becomesTask { return (try await server.taskInstead(of: call.envelopeID), place) }
            let result = ToolResult.unfinished(call.envelopeID)
            return (result.result(version, relatedTask: call.relatedTask), place)
        }
    }

    /// Whether the answer is still ours to give: no other connection has taken the call over, and nobody has cancelled it.
    private func isWanted(_ hold: Session.Hold?) -> Bool {
        guard let session, let hold else { return true }
        return session.isHeld(hold) && !session.withMachine { $0.isCancelled(call.number) }
    }

    /// `nil` where streams can't be resumed.
    private func eventID(_ place: Int64) -> String? {
        session == nil ? nil : SessionMachine.EventID(stream: call.number, place: place).description
    }

    /// Without a session, to hang up is to cancel. With one, the client may come back.
    private func hungUp() async {
        // When the gateway stops, connections break that nobody wants to break.
        guard session == nil, !gateway.hub.isFinished else { return }
        // The task itself is cancelled by now.
        let (gateway, id) = (gateway, call.envelopeID)
        await Task {
            do {
                try await gateway.cancel(id)
            } catch {
                gateway.logger.warning(
                    "call not cancelled", metadata: ["envelope_id": "\(id)", "error": "\(error)"])
            }
        }.value
    }
}

extension ByteBuffer {
    /// A JSON-RPC message as an event.
    static func message(_ json: RawJSON, id: String?) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(json.bytes.count + 64)
        if let id { buffer.writeString("id: \(id)\n") }
        buffer.writeString("event: message\ndata: ")
        buffer.writeBytes(json.bytes.lazy.map(ServerSentEvent.withoutLineEnd))
        buffer.writeString("\n\n")
        return buffer
    }

    /// An event with an id and nothing in it: from here on the stream can be resumed.
    static func priming(_ id: String) -> ByteBuffer { ByteBuffer(string: "id: \(id)\nevent: message\ndata: \n\n") }
}
