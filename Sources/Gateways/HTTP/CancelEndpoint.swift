internal import HTTPTypes
internal import Hummingbird
internal import Telemetry

extension GatewayRouter {
    /// `POST /envelopes/{id}/cancel`: what is cancelled already, is. The answer doesn't wait for the broker.
    func cancelEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let count = try await store.cancel(id)
        if count > 0 {
            metrics.finished(.cancelled).increment(by: count)
            cancellations.wake()
        }
        guard let envelope = try await store.envelope(id) else { throw unknownEnvelope(id) }
        guard envelope.status == .cancelled else {
            throw Problem(.alreadyEnded, "envelope '\(id)' has \(envelope.status.rawValue) already")
        }
        return Response { envelope.write(to: &$0, withBodies: true) }
    }
}
