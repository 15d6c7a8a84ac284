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
                errors: [.unknownEnvelope, .alreadyEnded], handler: cancelEnvelope),
            Endpoint(
                method: .post, path: "/envelopes/{id}/retry", name: "retryEnvelope", access: .scope(.operate),
                summary: "Send an envelope on its way again that has failed or was cancelled",
                details: """
                    It keeps its id and history; children of a new fan-out are others than before. A deadline that has passed is taken off.
                    """,
                body: .init(
                    schema:
                        #"{"type":"object","additionalProperties":false,"properties":{"from":{"enum":["failed_step","start",null],"default":"failed_step"}}}"#,
                    example: #"{"from":"start"}"#, isRequired: false),
                answers: [
                    .init(status: .accepted, text: "The envelope, on its way", schema: .named("Envelope"))
                ], errors: [.unknownEnvelope, .notEnded, .notRetryable, .invalidRequest, .invalidJSON, .overloaded],
                handler: retryEnvelope),
            Endpoint(
                method: .delete, path: "/envelopes/{id}", name: "deleteEnvelope", access: .scope(.operate),
                summary: "Delete an envelope that has ended, and all that has come out of it",
                answers: [.init(status: .noContent, text: "Deleted")], errors: [.unknownEnvelope, .notEnded],
                handler: deleteEnvelope),
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

    /// `DELETE /envelopes/{id}`
    func deleteEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        switch try await store.delete(id) {
        case .deleted: return Response(status: .noContent)
        case .unknown: throw unknownEnvelope(id)
        case .notEnded(let alive):
            throw Problem(.notEnded, "envelope '\(alive)' has not ended; cancel '\(id)' first")
        }
    }
}
