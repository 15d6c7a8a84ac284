extension OverdueEnvelope {
    static let columns = "id, deadline, replays, loops, current_actor_idx, current_actor_name"

    init(_ row: some StoredRow) throws {
        self.init(
            id: try row.string(0), deadline: try row.microseconds(1),
            round: EnvelopeRound(replays: try row.integer(2), loops: try row.integer(3)),
            actorIndex: try row.integer(4), actorName: try row.optionalString(5))
    }
}
