internal import Envelopes
internal import EventLoops
internal import PostgreSQL

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

extension EnvelopeStore {
    /// Envelopes whose deadline passed longer than `grace` ago, in the order of their deadlines.
    /// - Parameter last: only those behind it.
    func overdue(
        grace: Duration, after last: OverdueEnvelope? = nil, limit: Int
    ) async throws(PostgreSQLError) -> [OverdueEnvelope] {
        try await query(
            """
            SELECT id, deadline, replays, loops, current_actor_idx, current_actor_name FROM envelopes
            WHERE deadline < now() - $1 * interval '1 millisecond' AND status NOT IN \(EnvelopeStatus.finalList)
              AND deadline >= $2 AND (deadline, id) > ($2, $3)
            ORDER BY deadline, id LIMIT \(limit) -- not a parameter: the planner would take it for a tenth of the table
            """,
            [
                .double(Double(grace.nanosecondsClamped / 1_000_000)), .time(microseconds: last?.deadline ?? 0),
                .text(last?.id ?? ""),
            ]
        ).map { (row) throws(PostgreSQLError) in
            OverdueEnvelope(
                id: try row.string(0), deadline: try row.microseconds(1),
                round: EnvelopeRound(replays: try row.integer(2), loops: try row.integer(3)),
                actorIndex: try row.integer(4), actorName: try row.optionalString(5))
        }
    }
}
