internal import Envelopes

/// What a handler has told while it works, as one report brings it: rows of the envelope's history that change nothing
/// about where the envelope is, but for percentages.
struct PartialResults: Sendable, Hashable {
    var envelopeID: String
    var parentID: String?
    var actors: [String]
    /// From 0.
    var actorIndex: Int
    var actorName: String?
    var round: EnvelopeRound
    var attempt: Int?
    /// Of the handler: one that is made again has another name.
    var call: String?
    /// In order.
    var events: [Event]

    struct Event: Sendable, Hashable {
        /// The same when its report comes again; `nil` where those can't be told apart.
        var id: String?
        var type: String
        var data: RawJSON
        /// Microseconds since 1970; `nil` where it doesn't say.
        var timestamp: Int64?
        /// Of the envelope, 0...100; `nil` for what is no progress.
        var percent: Double?
        var message: String?
    }

    init(_ report: StatusReport) throws(StatusReportError) {
        guard report.kind == .emitted else {
            throw StatusReportError("a report of kind '\(report.kind.rawValue)' brings no partial results")
        }
        envelopeID = report.envelopeID
        parentID = report.parentID
        actors = report.actors
        let index = report.storedIndex
        actorIndex = index
        actorName = report.currentActorName
        round = report.round
        attempt = report.storedAttempt
        call = report.call
        events = report.events.enumerated().map { (number, event) in
            let progress = event.type == "progress" ? Self.progress(event.data) : nil
            return Event(
                id: report.eventID.isEmpty ? nil : "\(report.eventID)/\(number)", type: event.type, data: event.data,
                timestamp: Timestamp.microseconds(parsing: event.at),
                percent: progress.flatMap { Self.percent($0.percent, index: index, of: report.actors.count) },
                message: progress?.message)
        }
    }

    /// What stands in the history where the rest is left out.
    static func fullNotice(_ limit: Int) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.member("level", "warning")
            writer.member(
                "message",
                "further partial results of this envelope are left out: it has \(limit) (TROUPE_GATEWAY_PARTIAL_LIMIT)")
            writer.endObject()
        }
    }

    private static func progress(_ data: RawJSON) -> (percent: Double, message: String?)? {
        guard let percent = data["percent"]?.double, percent.isFinite else { return nil }
        return (min(max(percent, 0), 100), data["message"]?.string)
    }

    /// The actor's share of the route. Its first half is over when the handler begins ("processing"), so a handler moves
    /// the second.
    private static func percent(_ percent: Double, index: Int, of count: Int) -> Double? {
        count == 0 ? nil : min(100, (Double(index) * 100 + 50 + percent / 2) / Double(count))
    }
}
