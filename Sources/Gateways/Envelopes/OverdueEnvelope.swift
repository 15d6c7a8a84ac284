internal import Envelopes

/// An envelope that nobody has ended by its deadline.
struct OverdueEnvelope: Sendable {
    var id: String
    /// Microseconds since 1970.
    var deadline: Int64
    var round: EnvelopeRound
    var actorIndex: Int
    var actorName: String?

    /// Its end. The same event whichever gateway tells it, and however often.
    var report: StatusReport {
        StatusReport(
            kind: .final, eventID: Self.eventID(of: id, round), envelopeID: id, status: EnvelopeStatus.failed.rawValue,
            actors: [], currentActorIndex: actorIndex, currentActorName: actorName, error: "deadline_exceeded",
            replays: round.replays, loops: round.loops)
    }

    fileprivate static func eventID(of id: String, _ round: EnvelopeRound) -> String {
        "\(id)/\(round.replays)/deadline"
    }
}

extension EnvelopeChange {
    /// Whether a gateway has told it of an overdue envelope.
    var isOverdue: Bool { status == .failed && eventID == OverdueEnvelope.eventID(of: envelopeID, round) }
}
