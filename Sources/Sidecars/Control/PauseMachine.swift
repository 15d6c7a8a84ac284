internal import Envelopes

/// Whether deliveries are taken and calls begun, by what gateways tell of our actor. Pure.
///
///     open -> holding -> closed, and from both back to open
///
/// What has not begun when the actor is paused goes back to its queue, and that counts as a delivery towards the broker's limit. Replicas
/// hear of a pause one after the other: what the first gave back at once the second would take, and give back, too. So each holds it until
/// all must have heard.
struct PauseMachine {
    private(set) var gate = Runtime.Gate.open
    private var decidedAt = Int64.min
    /// Names this pause, for the timer of `heldLongEnough`.
    private(set) var pauseNumber = 0

    static let hold = Duration.seconds(1)

    /// News, or a repetition, or what others have overtaken.
    /// - Returns: what changes. After `.holding`, `heldLongEnough` is to be called in `hold`.
    mutating func told(_ pause: ActorPause) -> Runtime.Gate? {
        guard pause.decidedAt >= decidedAt else { return nil }
        decidedAt = pause.decidedAt
        switch (gate, pause.isPaused) {
        case (.open, true):
            pauseNumber += 1
            gate = .holding
        case (.holding, false), (.closed, false): gate = .open
        case (.open, false), (.holding, true), (.closed, true): return nil
        }
        return gate
    }

    /// - Parameter number: of the pause that it was asked for.
    /// - Returns: what changes.
    mutating func heldLongEnough(_ number: Int) -> Runtime.Gate? {
        guard gate == .holding, number == pauseNumber else { return nil }
        gate = .closed
        return gate
    }
}
