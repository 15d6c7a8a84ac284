/// Which of its ways along the route an envelope is on: each replay begins the route anew, and in each the route may lead back.
/// With the index of an actor it orders reports.
struct EnvelopeRound: Sendable, Hashable, Comparable {
    var replays = 0
    var loops = 0

    static func < (left: Self, right: Self) -> Bool { (left.replays, left.loops) < (right.replays, right.loops) }
}
