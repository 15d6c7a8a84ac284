internal import EventLoops
internal import Projects

/// How many replicas an actor is to have, by the messages that it has: as KEDA does it from none to the first and back, and the
/// Horizontal Pod Autoscaler in between. Pure.
struct Autoscaler: Sendable {
    let scale: Scale
    private(set) var replicas: Int
    /// When there was last a message.
    private var lastActive: MonotonicTime
    /// What was changed in the current period.
    private var changes: [(time: MonotonicTime, difference: Int)] = []
    /// What was wanted in the time that a number must hold before it sinks.
    private var wishes: [(time: MonotonicTime, replicas: Int)] = []

    /// A deviation from the target that is left as it is.
    private static let tolerance = 0.1

    init(_ scale: Scale, now: MonotonicTime) {
        self.scale = scale
        replicas = scale.minimum
        lastActive = now
    }

    /// How often to look.
    var interval: Duration { max(.milliseconds(100), min(.seconds(1), scale.period / 2)) }

    /// - Parameter messages: those that wait and those in work; `nil` where nobody knows, and all stays as it is.
    /// - Returns: whether `replicas` has changed.
    mutating func look(messages: Int?, now: MonotonicTime) -> Bool {
        guard let messages else { return false }
        if messages > 0 { lastActive = now }
        let before = replicas
        if replicas == 0 {
            // At once, and only the first: the rest is for the next looks.
            if messages > 0 { replicas = 1 }
        } else if scale.minimum == 0, messages == 0, lastActive.duration(to: now) >= scale.cooldown {
            // Past all limits for steps downwards.
            replicas = 0
            (changes, wishes) = ([], [])
        } else {
            adjust(messages, now)
        }
        if replicas != before, before > 0, replicas > 0 { changes.append((now, replicas - before)) }
        return replicas != before
    }

    private mutating func adjust(_ messages: Int, _ now: MonotonicTime) {
        changes.removeAll { $0.time.duration(to: now) >= scale.period }
        wishes.removeAll { $0.time.duration(to: now) > scale.stabilization }
        let wish = wanted(messages)
        wishes.append((now, wish))
        if wish > replicas {
            let added = changes.reduce(0) { $0 + max(0, $1.difference) }
            let start = replicas - added
            replicas = max(replicas, min(wish, max(2 * start, start + 4)))
        } else {
            let stable = wishes.map(\.replicas).max() ?? wish
            let removed = changes.reduce(0) { $0 + max(0, -$1.difference) }
            let least = (replicas + removed) / 2
            replicas = min(replicas, max(stable, least, floor))
        }
    }

    private var floor: Int { max(1, scale.minimum) }

    private func wanted(_ messages: Int) -> Int {
        let ratio = Double(messages) / Double(replicas * scale.queueLength)
        let wish =
            abs(ratio - 1) <= Self.tolerance
            ? replicas : (messages + scale.queueLength - 1) / scale.queueLength
        return min(max(wish, floor), max(floor, scale.maximum))
    }
}
