internal import EventLoops

/// One of a fixed set of delays, four to each doubling: 50 ms, 59 ms, 71 ms, 84 ms, 100 ms, ... up to 30 days.
///
/// Each level has a queue whose messages expire after just that time and go on to the actor they are for. Within a
/// queue all wait equally long, so none stands in another's way. A delay is never off by more than 9 %, the half of a
/// step.
struct DelayLevel: Hashable, Sendable {
    /// How long a message stays.
    let milliseconds: Int64

    /// The level nearest to `delay`; the first or last one for what lies beyond.
    init(nearest delay: Duration) {
        let wanted = delay.nanosecondsClamped / 1_000_000
        let above = Self.all.firstIndex { $0 >= wanted } ?? Self.all.endIndex - 1
        let below = max(0, above - 1)
        let isNearerBelow = wanted - Self.all[below] < Self.all[above] - wanted
        milliseconds = Self.all[isNearerBelow ? below : above]
    }

    /// Every level, ascending. The steps within a doubling are fourth roots of two.
    static let all: [Int64] = {
        var levels: [Int64] = []
        var base = Double(Message.delays.lowerBound.nanosecondsClamped / 1_000_000)
        let last = Double(Message.delays.upperBound.nanosecondsClamped / 1_000_000)
        while base <= last {
            levels += [1, 1.189207, 1.414214, 1.681793].map { Int64((base * $0).rounded()) }
            base *= 2
        }
        return levels.filter { Double($0) < last } + [Int64(last)]
    }()
}
