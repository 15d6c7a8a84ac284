internal import HTTPTypes
internal import Hummingbird
internal import Telemetry

extension GatewayRouter {
    var streamEndpoints: [Endpoint] {
        let last = Endpoint.Parameter(
            name: "Last-Event-ID", place: .header, schema: #"{"type":"string","pattern":"^[0-9]{1,18}$"}"#,
            text: "Goes on behind that event, on any gateway")
        let events = Endpoint.Answer(
            status: .ok, text: "Server-sent events; the data of each is an Update", type: "text/event-stream",
            schema: .string)
        return [
            Endpoint(
                method: .get, path: "/envelopes/{id}/stream", name: "streamEnvelope", access: .scope(.read),
                summary: "Watch an envelope: its history, then what happens, until its end",
                parameters: [
                    .init(
                        name: "children", schema: .flag,
                        text: "And all that comes out of it, until all of it has ended"),
                    last,
                ], answers: [events], errors: [.unknownEnvelope, .invalidRequest, .tooManyStreams, .streamsExhausted],
                handler: streamEnvelope),
            Endpoint(
                method: .get, path: "/stream", name: "streamEnvelopes", access: .scope(.read),
                summary: "Watch many envelopes from now on",
                parameters: [
                    .init(name: "status", schema: .named("Status"), text: "Updates to that status"),
                    .init(name: "actor", schema: .name, text: "Updates from that actor"),
                    .init(name: "tool", schema: .name, text: "Envelopes submitted by that tool"),
                    .init(name: "parent", schema: .name, text: "Children of that envelope"),
                    .init(
                        name: "partials", schema: .flag,
                        text: "With what handlers tell while they work"),
                    last,
                ], answers: [events], errors: [.invalidRequest, .tooManyStreams, .streamsExhausted],
                handler: streamEnvelopes),
        ]
    }

    /// `GET /envelopes/{id}/stream?children=`
    func streamEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let lastID = try lastEventID(request) ?? 0
        let withChildren = try QueryParameters(request, known: ["children"]).flag("children")
        guard try await store.exists(id) else { throw unknownEnvelope(id) }
        let source: any EventSource =
            withChildren ? events(.family(of: id), after: lastID) : EnvelopeEvents(of: id, after: lastID, follower)
        return try eventStream(context, source)
    }

    /// `GET /stream?status=&actor=&tool=&parent=&partials=`
    func streamEnvelopes(_ request: Request, _ context: Context) async throws -> Response {
        let query = try QueryParameters(request, known: ["status", "actor", "tool", "parent", "partials"])
        var filter = UpdateFilter()
        filter.status = try query.choice("status")
        filter.actor = try query.text("actor")
        filter.tool = try query.text("tool")
        filter.parentID = try query.text("parent")
        filter.hasPartials = try query.flag("partials")
        // Known before the answer's head goes out: what happens from then on is told.
        let start: Int64
        if let lastID = try lastEventID(request) {
            start = lastID
        } else {
            start = try await updates.lastUpdate().number
        }
        return try eventStream(context, events(.filter(filter), after: start))
    }

    private func events(_ scope: ManyEvents.Scope, after lastID: Int64) -> ManyEvents {
        ManyEvents(
            scope, after: lastID, store: store, updates: updates, hub: hub, quietLimit: follower.quietLimit)
    }

    private func eventStream(_ context: Context, _ source: any EventSource) throws -> Response {
        let slot = try access.streams.slot(for: context.principal)
        let body = ResponseBody { [channel = context.channel] _ in
            try await OpenStream.open(on: channel, source, hub, patience: answerPatience, slot, logger)
            throw ConnectionIsTaken()
        }
        return Response(status: .ok, headers: .eventStream, body: body)
    }

    private func lastEventID(_ request: Request) throws(Problem) -> Int64? {
        guard let text = request.headers[.lastEventID], !text.isEmpty else { return nil }
        guard let id = ServerSentEvent.parse(lastEventID: text) else {
            throw Problem(.invalidRequest, "'Last-Event-ID' is none that this gateway has given")
        }
        return id
    }
}

/// Ends the call that has opened a stream, and with it the connection's task: the server knows no other way out of it.
private struct ConnectionIsTaken: Error {}

extension HTTPFields {
    static let eventStream: HTTPFields = [
        .contentType: "text/event-stream", .cacheControl: "no-cache",
        // Proxies that gather a response before they pass it on (nginx) are asked not to.
        .accelBuffering: "no",
        // The connection ends with the stream: nobody shall send another request on it.
        .connection: "close",
    ]
}

extension HTTPField.Name {
    // The names are valid, so the initializer doesn't fail; the fallback is never taken.
    static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .ifMatch
    static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .cacheControl
}
