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
        /// What the actor's sidecar says of a fault that it has injected.
        var fault: RawJSON?
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
        /// What went wrong on purpose.
        var faults: [RawJSON] = []

        enum Outcome: String, Sendable { case running, completed, retrying, failed, cancelled }
    }

    private(set) var steps: [Step] = []
    /// The last moment at which it was sent somewhere.
    private var sentAt: Int64?

    init(_ updates: [Update]) {
        for update in updates { take(update) }
    }

    private static let faultLimit = 20
    /// The mark of a fault may overtake the news that the actor has the envelope, for which nobody waits.
    private var earlyFaults: [Update] = []

    private mutating func take(_ update: Update) {
        if let fault = update.fault { return add(fault, update) }
        switch update.phase.flatMap(EnvelopeChange.Progress.init) {
        case .received:
            guard let actor = update.actor else { return }
            defer { addFaults() }
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

    private mutating func add(_ fault: RawJSON, _ update: Update) {
        // A handler may emit events of that type, too.
        guard fault["injected"]?.boolean == true, earlyFaults.count < Self.faultLimit else { return }
        earlyFaults.append(update)
        addFaults()
    }

    /// Those of the step that is running.
    private mutating func addFaults() {
        guard !earlyFaults.isEmpty, let last = steps.last, last.outcome == .running else { return }
        let faults = earlyFaults.filter { last.actor == $0.actor && last.attempt == $0.attempt }.compactMap(\.fault)
        steps[steps.count - 1].faults = Array((last.faults + faults).prefix(Self.faultLimit))
        earlyFaults.removeAll { last.actor == $0.actor && last.attempt == $0.attempt }
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
        if !faults.isEmpty {
            writer.name("faults")
            writer.append(RawJSON(array: faults))
        }
        writer.endObject()
    }
}
