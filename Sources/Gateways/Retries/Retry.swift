internal import Envelopes
internal import EventLoops

/// Sends an envelope on its way again that has failed or was cancelled. Pure: what is known of it in, the message and the way it takes
/// out.
struct Retry: Sendable {
    enum Start: String, Sendable, CaseIterable {
        /// At the actor where it ended, with what that got.
        case failedStep = "failed_step"
        /// As it was submitted.
        case beginning = "start"
    }

    /// What the database knows.
    struct Known: Sendable {
        var id: String
        var status: EnvelopeStatus
        var error: String?
        var actorName: String?
        var actorIndex: Int
        var replays: Int
        var loops: Int
        /// What was submitted; `nil` for the child of a fan-out.
        var submitted: [UInt8]?
        /// What the last actor got, where that is known.
        var failed: [UInt8]?
        /// How often it has fanned out.
        var fanOuts: Int
        /// Somebody may still be at work on it.
        var isBeingCancelled: Bool
    }

    enum Plan: Sendable {
        /// This message, in place of all earlier ones.
        case send(Envelope)
        /// It lies in the dead letters of this actor.
        case replayDeadLetter(actor: String)
    }

    /// - Throws: why it can't be sent.
    static func plan(_ known: Known, from start: Start, now: Int64) throws(Problem) -> Plan {
        guard known.status.isFinal else {
            throw Problem(
                .notEnded,
                "envelope '\(known.id)' is \(known.status.rawValue); only one that has ended can be sent again")
        }
        guard known.status != .succeeded else {
            throw Problem(.notRetryable, "envelope '\(known.id)' has succeeded; submit a new one")
        }
        if known.isBeingCancelled {
            throw Problem(
                .notRetryable,
                "envelope '\(known.id)' was cancelled, but its message has not ended yet; try again soon",
                retryAfter: 1)
        }
        switch start {
        case .beginning:
            guard let message = known.submitted else {
                throw Problem(
                    .notRetryable,
                    "envelope '\(known.id)' was not submitted here, it came out of a fan-out: retry its parent, or from the failed step"
                )
            }
            return .send(try envelope(message, known, now))
        case .failedStep:
            if let actor = known.deadLetterActor { return .replayDeadLetter(actor: actor) }
            // One that never got to its first actor begins with it.
            guard let message = known.failed ?? (known.actorIndex == 0 && known.loops == 0 ? known.submitted : nil)
            else {
                throw Problem(
                    .notRetryable,
                    "nobody has kept what '\(known.actorName ?? "the last actor")' got of envelope '\(known.id)'; retry it from the start"
                )
            }
            return .send(try envelope(message, known, now))
        }
    }

    private static func envelope(_ message: [UInt8], _ known: Known, _ now: Int64) throws(Problem) -> Envelope {
        guard var envelope = try? Envelope(parsing: message, limits: .ofBroker), envelope.route.currentActor != nil
        else {
            throw Problem(.notRetryable, "what is kept of envelope '\(known.id)' can't be sent")
        }
        envelope.headers.replays = known.replays + 1
        envelope.headers["troupe-attempts"] = nil
        // Children of this run are others than those of the last.
        envelope.headers.fanOuts = max(envelope.headers.fanOuts, known.fanOuts)
        if let deadline = envelope.deadline, deadline <= now { envelope.unknown.removeAll { $0.isNamed("deadline") } }
        return envelope
    }
}

extension Retry.Known {
    /// As `ReadReport.init(deadLetter:)` words it.
    var deadLetterActor: String? { error?.hasPrefix("dead_letter:") == true ? actorName : nil }
}

extension Envelope {
    /// How often `parentID` has fanned out when this child of it was made: see `childID`.
    static func fanOuts(after childID: String, of parentID: String) -> Int {
        guard childID.hasPrefix(parentID + "-") else { return 0 }
        let parts = childID.dropFirst(parentID.count + 1).split(separator: ".")
        return parts.count == 2 ? (Int(parts[0]) ?? 0) + 1 : 1
    }
}
