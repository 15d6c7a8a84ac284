internal import Envelopes

/// Numbers of a report within the range of what is stored, whatever was sent.
extension StatusReport {
    var storedIndex: Int { min(max(currentActorIndex, 0), 1_000_000) }
    var storedAttempt: Int? { attempt.map { min(max($0, 1), 1_000_000) } }
    var round: EnvelopeRound { EnvelopeRound(replays: max(0, replays), loops: max(0, loops)) }
}
