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
        var report = StatusReport(.final, of: envelope, eventID: "", status: EnvelopeStatus.failed.rawValue)
        report.currentActorName = actor
        report.message = "Gone to the dead letters of actor '\(actor)': \(reason)"
        report.error = "dead_letter: \(reason) at actor '\(actor)'"
        try self.init(report)
        time = delivery.deadLetter?.time.map { Int64($0) * 1_000_000 }
    }
}
