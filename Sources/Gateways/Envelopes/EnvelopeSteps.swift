internal import Envelopes

/// What an envelope has been through, actor by actor: how long it waited for each, how long each was at work, and how that ended. Pure:
/// the reports of actors in, steps out.
struct EnvelopeSteps: Sendable, Hashable {
    /// A report, or the end.
    struct Update: Sendable, Hashable {
        /// `nil` for the end, and for what the gateway says itself.
        var phase: String?
        var status: EnvelopeStatus
        var actor: String?
        var actorIndex: Int?
        var attempt: Int?
        var error: String?
        /// Microseconds since 1970, as all times here.
        var time: Int64
    }

    /// One attempt of one actor.
    struct Step: Sendable, Hashable {
        var actor: String
        var actorIndex: Int?
        var attempt: Int?
        /// When it was sent there.
        var sentAt: Int64?
        var receivedAt: Int64
        var endedAt: Int64?
        var outcome = Outcome.running
        var error: String?

        enum Outcome: String, Sendable { case running, completed, retrying, failed, cancelled }
    }

    private(set) var steps: [Step] = []
    /// The last moment at which it was sent somewhere.
    private var sentAt: Int64?

    init(_ updates: [Update]) {
        for update in updates { take(update) }
    }

    private mutating func take(_ update: Update) {
        switch update.phase.flatMap(EnvelopeChange.Progress.init) {
        case .received:
            guard let actor = update.actor else { return }
            // Delivered again after its sidecar has died: the same attempt, begun anew.
            if let last = steps.last, last.outcome == .running, last.isSame(as: update) {
                steps[steps.count - 1].receivedAt = update.time
                return
            }
            steps.append(
                Step(
                    actor: actor, actorIndex: update.actorIndex, attempt: update.attempt, sentAt: sentAt,
                    receivedAt: update.time))
        case .completed: end(.completed, update)
        case .retrying: end(.retrying, update)
        case .processing: break
        case nil:
            if update.status.isFinal {
                end(update.status == .cancelled ? .cancelled : update.status == .failed ? .failed : .completed, update)
            } else {
                sentAt = update.time
            }
        }
    }

    private mutating func end(_ outcome: Step.Outcome, _ update: Update) {
        sentAt = update.time
        guard let last = steps.indices.last, steps[last].outcome == .running else { return }
        steps[last].endedAt = update.time
        steps[last].outcome = outcome
        steps[last].error = update.error
    }
}

extension EnvelopeSteps.Step {
    fileprivate func isSame(as update: EnvelopeSteps.Update) -> Bool {
        actor == update.actor && actorIndex == update.actorIndex && attempt == update.attempt
    }

    /// Milliseconds in the queue, those of a pause before a retry with them.
    var waitMilliseconds: Double? { sentAt.map { Double(max(0, receivedAt - $0)) / 1000 } }
    /// Milliseconds with the actor.
    var runMilliseconds: Double? { endedAt.map { Double(max(0, $0 - receivedAt)) / 1000 } }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("actor", actor)
        writer.member("actor_idx", number: actorIndex.map(Double.init))
        writer.member("attempt", number: attempt.map(Double.init))
        writer.member("outcome", outcome.rawValue)
        writer.member("received_at", time: receivedAt)
        writer.member("ended_at", time: endedAt)
        writer.member("wait_ms", number: waitMilliseconds)
        writer.member("run_ms", number: runMilliseconds)
        writer.member("error", error)
        writer.endObject()
    }
}
