internal import Envelopes

/// What a progress or final report asks of an envelope: the report's facts, read and completed, before anyone has looked at the
/// envelope's state.
struct EnvelopeChange: Sendable, Hashable {
    var envelopeID: String
    /// `nil` for reports that can't be told apart from a repetition (HTTP).
    var eventID: String?
    var parentID: String?
    var status: EnvelopeStatus
    /// `received`, `processing`, `completed`, `retrying`, `reopened`; `nil` for a final report.
    var phase: String?
    /// Brings an envelope that has failed or was cancelled back to life.
    var isReopening: Bool { phase == Self.reopened }
    /// Empty: as known.
    var actors: [String]
    /// From 0; `nil`: as known.
    var actorIndex: Int?
    var actorName: String?
    var round: EnvelopeRound
    /// At the actor, from 1; `nil` where it does not say.
    var attempt: Int?
    /// Of a retry, microseconds since 1970.
    var nextAttemptAt: Int64?
    /// 0...100
    var percent: Double
    var message: String
    var result: RawJSON?
    var error: String?
    /// Of an end that is no success: what the last actor got.
    var failedMessage: RawJSON?
    /// When it happened, microseconds since 1970; `nil` where that can't be told.
    var reportedAt: Int64?
}

extension EnvelopeChange {
    /// - Throws: for a report whose status no such report has.
    init(_ report: StatusReport) throws(StatusReportError) {
        envelopeID = report.envelopeID
        eventID = report.eventID.isEmpty ? nil : report.eventID
        parentID = report.parentID
        actors = report.actors
        actorIndex = report.storedIndex
        let index = min(max(report.currentActorIndex, 0), report.actors.count)
        actorName = report.currentActorName ?? (report.actors.indices.contains(index) ? report.actors[index] : nil)
        round = report.round
        attempt = report.storedAttempt
        error = report.error
        failedMessage = report.failedMessage
        reportedAt = Timestamp.microseconds(parsing: report.timestamp)

        switch report.kind {
        case .progress:
            guard let step = Progress(rawValue: report.status) else {
                let known = Progress.allCases.map(\.rawValue).joined(separator: ", ")
                throw StatusReportError("unknown progress status '\(report.status)', expected one of: \(known)")
            }
            status = step == .retrying ? .retrying : .running
            phase = step.rawValue
            nextAttemptAt = step == .retrying ? try Self.nextAttempt(report) : nil
            percent = step.percent(index: index, of: report.actors.count)
            message = report.message ?? step.message(actor: actorName, report)
            result = report.result
        case .final:
            guard let status = EnvelopeStatus(rawValue: report.status), status.isFinal else {
                throw StatusReportError(
                    "unknown final status '\(report.status)', expected one of: succeeded, failed, cancelled")
            }
            self.status = status
            percent = 100
            if actors.isEmpty && report.currentActorIndex == 0 { actorIndex = nil }
            message = report.message ?? Self.finalMessage(status, actor: report.currentActorName, error: report.error)
            result = status == .failed ? Self.failure(report) ?? report.result : report.result
        case .reopened:
            status = .running
            phase = Self.reopened
            percent = 0
            message = report.message ?? "Sent on its way again"
        case .created, .emitted:
            throw StatusReportError("a report of kind '\(report.kind.rawValue)' is no change")
        }
    }

    /// The store's statement knows the word, too.
    static let reopened = "reopened"

    /// An actor's phases, as `phase` names them.
    enum Progress: String, CaseIterable {
        case received, processing, completed
        /// Ours: the actor has failed and gets another try.
        case retrying

        private var weight: Double {
            switch self {
            case .received: 10
            case .processing: 50
            case .completed: 100
            case .retrying: 0
            }
        }

        /// A share of the route; 0 where the route isn't known, which then changes nothing.
        func percent(index: Int, of count: Int) -> Double {
            count == 0 ? 0 : min(100, (Double(index) * 100 + weight) / Double(count))
        }

        func message(actor: String?, _ report: StatusReport) -> String {
            switch self {
            case .received: "Received message" + (report.messageSizeKilobytes.map { " (\(hundredths($0)) KB)" } ?? "")
            case .processing: "Processing in \(actor ?? "an actor")"
            case .completed: "Completed processing" + (report.durationMilliseconds.map { " in \($0)ms" } ?? "")
            case .retrying: "Retrying in \(actor ?? "an actor")"
            }
        }
    }

    private static func nextAttempt(_ report: StatusReport) throws(StatusReportError) -> Int64? {
        guard let text = report.nextAttemptAt else { return nil }
        guard let time = Timestamp.microseconds(parsing: text) else {
            throw StatusReportError("'next_attempt_at' must be ISO 8601 with a time zone")
        }
        return time
    }

    private static func finalMessage(_ status: EnvelopeStatus, actor: String?, error: String?) -> String {
        switch status {
        case .failed: "Envelope failed" + (actor.map { " at actor '\($0)'" } ?? "") + (error.map { ": \($0)" } ?? "")
        case .cancelled: "Envelope cancelled"
        default: "Envelope completed successfully"
        }
    }

    /// The result of a failure with details: everything that explains it, in one object.
    private static func failure(_ report: StatusReport) -> RawJSON? {
        guard let details = report.errorDetails else { return nil }
        return RawJSON { writer in
            writer.beginObject()
            writer.name("error")
            writer.append(report.error.map { RawJSON(string: $0) } ?? .null)
            writer.name("details")
            writer.append(details)
            writer.name("failed_actor")
            writer.append(report.currentActorName.map { RawJSON(string: $0) } ?? .null)
            writer.name("failed_actor_idx")
            writer.append(report.currentActorIndex)
            writer.name("route")
            Route(actors: report.actors, current: report.currentActorIndex).write(to: &writer)
            writer.endObject()
        }
    }
}

/// Two digits behind the point.
private func hundredths(_ number: Double) -> String {
    let scaled = Int(exactly: (number * 100).rounded()) ?? 0
    let rest = String(abs(scaled) % 100)
    return "\(scaled / 100).\(rest.count == 1 ? "0" : "")\(rest)"
}
