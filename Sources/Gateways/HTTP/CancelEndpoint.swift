internal import HTTPTypes
internal import Hummingbird
internal import Telemetry

extension GatewayRouter {
    var actEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .post, path: "/envelopes/{id}/cancel", name: "cancelEnvelope", access: .scope(.operate),
                summary: "Cancel an envelope and all that has come out of it",
                details:
                    "What is cancelled already, is. The answer doesn't wait until handlers at work have heard of it.",
                answers: [.init(status: .ok, text: "The envelope, cancelled", schema: .named("Envelope"))],
                errors: [.unknownEnvelope, .alreadyEnded], handler: cancelEnvelope)
        ]
    }

    /// `POST /envelopes/{id}/cancel`: what is cancelled already, is. The answer doesn't wait for the broker.
    func cancelEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        try await cancel(id)
        guard let envelope = try await store.envelope(id) else { throw unknownEnvelope(id) }
        guard envelope.status == .cancelled else {
            throw Problem(.alreadyEnded, "envelope '\(id)' has \(envelope.status.rawValue) already")
        }
        return try await response(envelope)
    }

    /// Ends an envelope and all that has come out of it as cancelled, as far as that has not ended.
    func cancel(_ id: String) async throws {
        let count = try await store.cancel(id)
        guard count > 0 else { return }
        metrics.finished(.cancelled).increment(by: count)
        cancellations.wake()
    }
}
