internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Telemetry

extension GatewayRouter {
    var streamEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get, path: "/envelopes/{id}/stream", name: "streamEnvelope", access: .scope(.read),
                summary: "Watch an envelope: its history, then what happens, until its end",
                parameters: [
                    .init(
                        name: "Last-Event-ID", place: .header, schema: #"{"type":"string","pattern":"^[0-9]{1,18}$"}"#,
                        text: "Goes on behind that event, on any gateway")
                ],
                answers: [
                    .init(
                        status: .ok, text: "Server-sent events; the data of each is an Update",
                        type: "text/event-stream",
                        schema: #"{"type":"string"}"#)
                ], errors: [.unknownEnvelope, .invalidRequest], handler: streamEnvelope)
        ]
    }

    /// `GET /envelopes/{id}/stream`
    func streamEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let lastID = try lastEventID(request)
        guard try await store.exists(id) else { throw unknownEnvelope(id) }
        let slot = try access.streams.slot(for: context.principal)
        let body = ResponseBody { writer in
            defer { withExtendedLifetime(slot) {} }
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
        return Response(status: .ok, headers: .eventStream, body: body)
    }

    private func lastEventID(_ request: Request) throws(Problem) -> Int64 {
        guard let text = request.headers[.lastEventID], !text.isEmpty else { return 0 }
        guard let id = ServerSentEvent.parse(lastEventID: text) else {
            throw Problem(.invalidRequest, "'Last-Event-ID' is none that this gateway has given")
        }
        return id
    }

    private func sendUpdates(of id: String, after lastID: Int64, to writer: inout any ResponseBodyWriter) async throws {
        _ = try await follower.follow(id, after: lastID, hub.wakeUps(for: [id])) { event in
            switch event {
            case .update(let update): try await writer.write(ByteBuffer(bytes: ServerSentEvent.update(update)))
            case .silence: try await writer.write(ByteBuffer(bytes: ServerSentEvent.keepAlive))
            }
        }
    }
}

extension HTTPFields {
    static let eventStream: HTTPFields = [
        .contentType: "text/event-stream", .cacheControl: "no-cache",
        // Proxies that gather a response before they pass it on (nginx) are asked not to.
        .accelBuffering: "no",
        // Listening for the client's hanging up ends the connection with the response: nobody shall send another request on it.
        .connection: "close",
    ]
}

extension HTTPField.Name {
    // The names are valid, so the initializer doesn't fail; the fallback is never taken.
    static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .ifMatch
    static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .cacheControl
}
