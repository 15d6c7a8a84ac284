internal import Envelopes
internal import EventLoops
internal import Transports

extension EmbeddedBroker {
    /// Where a message goes, by the queues that there are.
    /// - Throws: `.unroutable`.
    func copies(of message: Message) throws(TransportError) -> [Publication.Copy] {
        var isMandatory = true
        var letter: DeadLetter?
        let targets: [QueueName]
        switch message.destination {
        case .actor(let name): targets = [.actor(name)]
        case .statusReports(let kind):
            // The next report tells more; and events may have nobody who hears them.
            isMandatory = kind != .progress && kind != .emitted
            targets = [.statusReports]
        case .control:
            isMandatory = false
            targets = inboxesWithRoom
        case .controlInbox(let inbox): targets = [.controlInbox(inbox)]
        case .controlRequests: targets = [.controlRequests]
        case .deadLetters(let actor, let reason):
            letter = DeadLetter(actor: actor, reason: reason, time: Int(Timestamp.microsecondsNow() / 1_000_000))
            targets = [.deadLetters(actor: actor), .deadLetterNotices]
        }
        let ids = targets.compactMap { id(of: $0) }
        if ids.isEmpty && isMandatory {
            throw TransportError(.unroutable, "no queue takes what is for \(message.destination)")
        }
        let due = message.effectiveDelay.map {
            (Timestamp.microsecondsNow() + $0.nanosecondsClamped / 1000 + 999) / 1000
        }
        return ids.map {
            Publication.Copy(queue: $0, due: due, id: message.id, body: message.body, deadLetter: letter)
        }
    }

    /// What is told to all is told again: an inbox that nobody empties need not keep it.
    private var inboxesWithRoom: [QueueName] {
        queues.compactMap { name, queue in
            if case .controlInbox = name, queue.machine.ready < QueueName.inboxLimit { name } else { nil }
        }
    }
}
