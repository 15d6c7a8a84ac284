internal import Envelopes
internal import EventLoops
internal import Settings
internal import Transports

/// Which dead letters are meant. What is not said does not matter.
struct DeadLetterFilter: Sendable {
    /// Envelopes' ids; empty: all.
    var ids: Set<String> = []
    /// A part of the reason, whatever its letters' case.
    var type: String?
    /// Seconds.
    var olderThan: Double?
    var newerThan: Double?
    /// Seconds since 1970: what came to the dead letters later is not meant.
    var before: Double?

    /// - Parameter now: seconds since 1970.
    func matches(_ message: DeadLetterMessage, now: Double) -> Bool {
        if !ids.isEmpty && !ids.contains(message.id) { return false }
        if let type, !message.deadLetter.reason.lowercased().contains(type.lowercased()) { return false }
        if let before, let time = message.deadLetter.time, Double(time) >= before { return false }
        // One whose age nobody knows is as old as can be.
        let age = message.deadLetter.time.map { now - Double($0) } ?? .infinity
        if let olderThan, age < olderThan { return false }
        if let newerThan, age > newerThan { return false }
        return true
    }
}
