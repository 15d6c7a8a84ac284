internal import Envelopes
internal import Transports

extension ReadReport {
    /// Reads a copy of a dead letter: its envelope has failed. A notice from before a replay says nothing of the envelope any more;
    /// the count of replays that travels with it tells.
    init(deadLetter delivery: Delivery) throws(StatusReportError) {
        let envelope: Envelope
        do throws(EnvelopeError) { envelope = try Envelope(parsing: delivery.body, limits: .ofBroker) } catch {
            throw StatusReportError(error.message)
        }
        let actor = delivery.deadLetter?.actor ?? envelope.route.currentActor ?? "unknown"
        let reason = delivery.deadLetter?.reason ?? "for a reason that nobody gave"
        var report = StatusReport(
            kind: .final, eventID: "", envelopeID: envelope.id, parentID: envelope.parentID,
            status: EnvelopeStatus.failed.rawValue, actors: envelope.route.actors,
            currentActorIndex: envelope.route.current, currentActorName: actor,
            message: "Gone to the dead letters of actor '\(actor)': \(reason)",
            error: "dead_letter: \(reason) at actor '\(actor)'")
        report.replays = envelope.headers.replays
        report.loops = envelope.headers.loops
        try self.init(report)
    }
}
