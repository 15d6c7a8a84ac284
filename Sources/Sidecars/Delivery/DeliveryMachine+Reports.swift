internal import Envelopes
internal import EventLoops

/// What the gateway hears of a delivery.
extension DeliveryMachine {
    func startReports(of envelope: Envelope) -> [StatusReport] {
        if policy.isEndActor || !policy.reports { return [] }
        let kilobytes = Double(body.count) / 1024
        var received = report(.progress, envelope, status: "received")
        received.message = "Received message (\(kilobytes.twoDecimals) KB)"
        received.messageSizeKilobytes = kilobytes
        var processing = report(.progress, envelope, status: "processing")
        processing.message = "Processing in \(policy.actorName)"
        return [received, processing]
    }

    func completedReport(of next: Envelope, now: MonotonicTime) -> StatusReport {
        var completed = report(.progress, next, status: "completed")
        let milliseconds = Int(calledAt.duration(to: now).inSeconds * 1000)
        completed.currentActorName = policy.actorName
        completed.message = "Completed processing in \(milliseconds)ms"
        completed.durationMilliseconds = milliseconds
        return completed
    }

    /// For what the handler emits during a call, without the events.
    /// - Parameter call: names it.
    func emittedReport(of envelope: Envelope, call: String) -> StatusReport {
        var emitted = report(.emitted, envelope, status: "running")
        emitted.eventID += "/emitted/\(call)"
        emitted.currentActorName = policy.actorName
        emitted.attempt = attempt
        emitted.call = call
        return emitted
    }

    func createdReport(of child: Envelope) -> StatusReport { report(.created, child, status: "pending") }

    func finalReport(of envelope: Envelope) -> StatusReport {
        guard policy.actorName == policy.errorEnd else {
            var succeeded = report(.final, envelope, status: "succeeded")
            succeeded.result = envelope.payload
            return succeeded
        }
        let error = RuntimeReply.HandlerError(
            code: envelope.payload["error"]?.string ?? "unknown_error", details: envelope.payload["details"])
        var failed = report(.final, envelope, status: error.code == "cancelled" ? "cancelled" : "failed")
        failed.error = error.inWords
        failed.errorDetails = error.details
        // What was no envelope can't be sent as one.
        if error.code != "msg_parsing_error", let payload = envelope.payload["original_payload"] {
            var message = envelope
            message.payload = payload
            failed.failedMessage = try? RawJSON(message.encoded(), limits: JSONLimits(size: .max, nesting: 4096))
        }
        return failed
    }

    /// - Parameter envelope: the one at work here, or one that goes on from here.
    func report(_ kind: StatusReport.Kind, _ envelope: Envelope, status: String) -> StatusReport {
        // Another one for each step, round and attempt, and the same one for a redelivery of that.
        var report = StatusReport(kind, of: envelope, eventID: "", status: status)
        let step = "\(report.replays).\(report.loops).\(report.currentActorIndex).\(attempt)"
        report.eventID = "\(envelope.id)/\(step)/\(status)"
        if kind == .progress { report.attempt = attempt }
        return report
    }
}

extension Double {
    fileprivate var twoDecimals: String {
        let hundredths = Int((self * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
