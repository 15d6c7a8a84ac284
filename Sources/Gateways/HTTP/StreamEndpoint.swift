internal import EventLoops
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PostgreSQL
internal import Telemetry

extension GatewayRouter {
    /// `GET /envelopes/{id}/stream`
    func streamEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let lastID = try lastEventID(request)
        guard try await store.exists(id) else { throw unknownEnvelope(id) }
        let body = ResponseBody { writer in
            metrics.streams.add(1)
            defer { metrics.streams.add(-1) }
            do {
                // Cancels the work when the client hangs up, also while nothing is written.
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    try await sendUpdates(of: id, after: lastID, to: &writer)
                }
            } catch is CancellationError {
                return
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-cache",
                // Proxies that gather a response before they pass it on (nginx) are asked not to.
                .accelBuffering: "no",
            ],
            body: body)
    }

    private func lastEventID(_ request: Request) throws(Problem) -> Int64 {
        guard let text = request.headers[.lastEventID], !text.isEmpty else { return 0 }
        guard let id = ServerSentEvent.parse(lastEventID: text) else {
            throw Problem(.invalidRequest, "'Last-Event-ID' is none that this gateway has given")
        }
        return id
    }

    private func sendUpdates(of id: String, after lastID: Int64, to writer: inout any ResponseBodyWriter) async throws {
        // Before the first look at the history: nothing can fall between.
        let wakeUps = hub.wakeUps(for: id)
        // Looked at with each wake-up, so a little early rather than late.
        var machine = UpdateStreamMachine(
            after: lastID, quietLimit: max(.zero, keepAliveInterval - hub.settings.pollInterval), now: .now)
        var action = machine.woken()
        var iterator = wakeUps.makeAsyncIterator()
        while true {
            switch action {
            case .read(let after): action = try await sendPage(of: id, after: after, &machine, to: &writer)
            case .sendKeepAlive:
                try await writer.write(ByteBuffer(bytes: ServerSentEvent.keepAlive))
                action = machine.sentKeepAlive(now: .now)
            case .wait: action = await iterator.next() == nil ? .finish : machine.woken()
            case .finish: return
            }
            try Task.checkCancellation()
        }
    }

    private func sendPage(
        of id: String, after: Int64, _ machine: inout UpdateStreamMachine, to writer: inout any ResponseBodyWriter
    ) async throws -> UpdateStreamMachine.Action {
        let page: UpdatePage?
        do throws(PostgreSQLError) {
            page = try await store.updates(of: id, after: after, limit: 100)
        } catch {
            // The stream outlives a database that is away: the hub wakes it again.
            guard error.isRetryable else { throw error }
            return machine.databaseIsAway(now: .now)
        }
        // Deleted meanwhile.
        guard let page else { return .finish }
        for update in page.updates { try await writer.write(ByteBuffer(bytes: ServerSentEvent.update(update))) }
        return machine.sent(
            .init(ids: page.updates.map(\.id), isFull: page.isFull, isFinal: page.isFinal), now: .now)
    }
}

extension HTTPField.Name {
    // The names are valid, so the initializer doesn't fail; the fallback is never taken.
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .ifMatch
    fileprivate static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .cacheControl
}
