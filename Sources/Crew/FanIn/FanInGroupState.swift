internal import ActorKit
internal import EventLoops

/// A group as it is kept, and what an arrival makes of it. Pure.
///
/// In PostgreSQL the function `fan_in_arrive` does the same, under the lock of the group's row; the same tests hold both.
struct FanInGroupState: Sendable, Hashable {
    var count: Int
    /// Whether pieces bring their places. Otherwise they are numbered as they come.
    var isIndexed: Bool
    var releasesPartial: Bool
    /// Microseconds since 1970, as all times here.
    var deadline: Int64
    var createdAt: Int64
    var arrived = 0
    /// Of all payloads, with the commas between them.
    var bytes = 0
    /// A piece was refused because of the limit.
    var isTooLarge = false
    /// What piece 0, which carries the list, was told last: in which of its attempts, and when.
    var outcome: FanInGroup.Outcome?
    var attempt: String?
    var decidedAt: Int64?

    /// Where a piece stands, and whose it is.
    struct Seat: Sendable, Hashable {
        var place: Int
        var owner: String
    }

    /// A piece arrives, or comes again.
    /// - Parameters:
    ///   - known: where the piece of that name stands already.
    ///   - bytes: of its payload.
    ///   - limit: of all payloads.
    /// - Returns: where it stands now; `nil` when it was not taken.
    mutating func take(_ piece: FanInPiece, known: Seat?, bytes: Int, limit: Int, now: Int64) -> Seat? {
        guard count == piece.count, isIndexed == (piece.index != nil) else { return nil }
        let seat = known ?? seat(for: piece, bytes: bytes, limit: limit)
        if let seat, seat.place == 0, seat.owner == piece.envelopeID { decide(attempt: piece.attempt, now: now) }
        return seat
    }

    private mutating func seat(for piece: FanInPiece, bytes: Int, limit: Int) -> Seat? {
        guard arrived < count, outcome != .released else { return nil }
        let sum = self.bytes + bytes + 1
        guard sum <= limit else {
            isTooLarge = true
            return nil
        }
        defer {
            arrived += 1
            self.bytes = sum
        }
        return Seat(place: piece.index ?? arrived, owner: piece.envelopeID)
    }

    /// What was released stays so. A failure stands for the attempt that it was told to: a redelivery hears the same again, a later
    /// attempt may find what was missing.
    private mutating func decide(attempt: String, now: Int64) {
        guard outcome != .released, self.attempt != attempt else { return }
        outcome =
            if arrived == count {
                .released
            } else if isTooLarge {
                .failed
            } else if deadline > now {
                nil
            } else {
                releasesPartial ? .released : .failed
            }
        self.attempt = outcome == nil ? nil : attempt
        decidedAt = outcome == nil ? nil : now
    }
}

extension FanInGroupState {
    /// The first piece says what its group is like.
    init(_ piece: FanInPiece, timeout: Duration, now: Int64) {
        self.init(
            count: piece.count, isIndexed: piece.index != nil, releasesPartial: piece.releasesPartial,
            deadline: now + timeout.microseconds, createdAt: now)
    }
}

extension FanInGroup {
    init(_ state: FanInGroupState, _ seat: FanInGroupState.Seat?, now: Int64) {
        self.init(
            count: state.count, isIndexed: state.isIndexed, arrived: state.arrived, isTooLarge: state.isTooLarge,
            outcome: state.outcome, waited: .microseconds(now - state.createdAt),
            left: .microseconds(state.deadline - now), place: seat?.place, owner: seat?.owner)
    }
}

extension FanInPiece {
    /// What it is recognised by when it comes again: its place, or its envelope where it has none of its own.
    var name: String { index.map(String.init) ?? envelopeID }
}

extension Duration {
    var microseconds: Int64 { nanosecondsClamped / 1000 }
}
