/// A handler of any kind, as a server calls it.
package struct LoadedHandler: Sendable {
    let mode: HandlerMode
    let call: Answerer.Call

    package init(_ handler: some Handler) {
        mode = .payload
        call = payloadAnswer(TypedPayloads(handler).handle)
    }

    package init(_ handler: some RawHandler) {
        mode = .payload
        call = payloadAnswer(handler.handle)
    }

    package init(_ handler: some EnvelopeHandler) {
        mode = .envelope
        call = { request, context in try await handler.handle(Envelope(request), context).map(\.asReply) }
    }

    package init(_ handler: some RawEnvelopeHandler) {
        mode = .envelope
        call = { request, context in try await handler.handle(request.json, context) }
    }

    package init(_ handler: some EndHandler) {
        mode = .envelope
        call = { request, context in
            try await handler.handle(request.json, context)
            return [.emptyObject]
        }
    }
}
