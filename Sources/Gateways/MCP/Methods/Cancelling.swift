internal import Envelopes
internal import PostgreSQL
internal import Telemetry

extension GatewayRouter {
    /// Ends an envelope as cancelled, if it has not ended. What actors still do for it changes nothing any more.
    func cancel(_ id: String) async throws {
        let report = StatusReport(
            kind: .final, eventID: "", envelopeID: id, status: EnvelopeStatus.cancelled.rawValue, actors: [],
            currentActorIndex: 0)
        let outcomes = try await store.apply([EnvelopeChange(report)])
        if case .applied = outcomes.first { metrics.finished(.cancelled).increment() }
    }
}
