/// How a group stands when one of its pieces has arrived, or has come again.
struct FanInGroup: Sendable, Hashable {
    enum Outcome: String, Sendable { case released, failed }

    var count: Int
    /// Whether its pieces bring their places.
    var isIndexed: Bool
    var arrived: Int
    /// A piece was refused: the group would have grown too large.
    var isTooLarge: Bool
    /// What piece 0 is told. Only a failure is ever taken back, by a later attempt.
    var outcome: Outcome?
    /// Since the first piece came, on the database's clock.
    var waited: Duration
    /// Until the deadline; negative when it has passed.
    var left: Duration
    /// Where the arriving piece stands; `nil` when it was not taken.
    var place: Int?
    /// Whose piece stands there.
    var owner: String?
}

/// What becomes of an envelope that has arrived at fan-in.
enum FanInDecision: Sendable, Hashable {
    /// Its payload is kept; the envelope itself ends here.
    case collect
    /// It will carry the list, and comes back to look again after this time.
    case hold(Duration)
    /// It carries the list on; with gaps where `isPartial`.
    case release(isPartial: Bool)
    /// Pieces are missing at the deadline, and that is a failure.
    case fail
    case refuse(FanInError)

    init(_ piece: FanInPiece, in group: FanInGroup) {
        guard group.count == piece.count, group.isIndexed == (piece.index != nil) else {
            self = .refuse(
                FanInError(
                    .header,
                    "its group (\(piece.group)) has \(group.count) pieces \(Self.kind(group.isIndexed)), this one says "
                        + "\(piece.count) \(Self.kind(piece.index != nil))"))
            return
        }
        guard let place = group.place else {
            self = .refuse(Self.whyNotTaken(piece, group))
            return
        }
        guard group.owner == piece.envelopeID else {
            self = .refuse(
                FanInError(
                    .header, "index \(place) of its group (\(piece.group)) is envelope \(group.owner ?? "?") already"))
            return
        }
        // Piece 0 of a fan-out has the id of the envelope that fanned out: that one goes on.
        guard place == 0 else {
            self = .collect
            return
        }
        switch group.outcome {
        case nil: self = .hold(Self.pause(group))
        case .released: self = .release(isPartial: group.arrived < group.count)
        case .failed where group.isTooLarge: self = .refuse(.tooLarge(piece))
        case .failed: self = .fail
        }
    }

    /// A tenth of what it has waited already: looking again costs little, and the wait gets at most that much longer.
    private static func pause(_ group: FanInGroup) -> Duration {
        max(.milliseconds(50), min(group.waited / 10, .seconds(300), group.left))
    }

    private static func kind(_ isIndexed: Bool) -> String { isIndexed ? "with an index" : "without an index" }

    private static func whyNotTaken(_ piece: FanInPiece, _ group: FanInGroup) -> FanInError {
        if group.arrived == group.count {
            return FanInError(.late, "its group (\(piece.group)) has all its \(group.count) pieces already")
        }
        if group.outcome == .released {
            return FanInError(.late, "its group (\(piece.group)) was released without it, at its deadline")
        }
        return .tooLarge(piece)
    }
}

extension FanInError {
    fileprivate static func tooLarge(_ piece: FanInPiece) -> FanInError {
        FanInError(
            .tooLarge,
            "the payloads of its group (\(piece.group)) are larger together than TROUPE_FAN_IN_MAX_GROUP_BYTES")
    }
}
