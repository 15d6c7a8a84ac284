internal import Transports

/// A queue of the embedded broker, and the rules that come with its kind.
enum QueueName: Hashable, Sendable {
    case actor(String)
    case deadLetters(actor: String)
    case statusReports
    case deadLetterNotices
    case controlRequests
    case controlInbox(String)

    /// As it stands in the file.
    var text: String {
        switch self {
        case .actor(let name): "actor.\(name)"
        case .deadLetters(let name): "dead-letters.\(name)"
        case .statusReports: "status-reports"
        case .deadLetterNotices: "dead-letter-notices"
        case .controlRequests: "control-requests"
        case .controlInbox(let name): "control-inbox.\(name)"
        }
    }

    init?(text: String) {
        let (kind, name) = text.splitAtFirstDot
        switch (kind, name) {
        case ("actor", let name?): self = .actor(name)
        case ("dead-letters", let name?): self = .deadLetters(actor: name)
        case ("status-reports", nil): self = .statusReports
        case ("dead-letter-notices", nil): self = .deadLetterNotices
        case ("control-requests", nil): self = .controlRequests
        case ("control-inbox", let name?): self = .controlInbox(name)
        default: return nil
        }
    }

    /// Who asks and who is told lives no longer than the process.
    var isOfThisProcess: Bool {
        switch self {
        case .controlRequests, .controlInbox: true
        case .actor, .deadLetters, .statusReports, .deadLetterNotices: false
        }
    }

    /// One reader at a time, so that reports are written in the order in which they came.
    var hasSingleConsumer: Bool { self == .statusReports }

    /// Whose messages go to the dead letters when they have been delivered too often.
    var actor: String? { if case .actor(let name) = self { name } else { nil } }

    /// Seconds after which nobody wants a message any more.
    var lifetime: Int? { self == .controlRequests ? 60 : nil }

    /// What is told to an inbox that is as full as this, is not kept for it.
    static let inboxLimit = 10_000
}

extension Source {
    var queue: QueueName {
        switch self {
        case .actor(let name): .actor(name)
        case .statusReports: .statusReports
        case .deadLetterNotices: .deadLetterNotices
        case .control(let inbox): .controlInbox(inbox)
        case .controlRequests: .controlRequests
        }
    }

    /// What is declared with it.
    var queues: [QueueName] {
        if case .actor(let name) = self { [.deadLetters(actor: name), .actor(name)] } else { [queue] }
    }
}

extension ObservedQueue {
    var queue: QueueName {
        switch self {
        case .actor(let name): .actor(name)
        case .deadLetters(let name): .deadLetters(actor: name)
        case .statusReports: .statusReports
        case .deadLetterNotices: .deadLetterNotices
        case .controlRequests: .controlRequests
        }
    }
}

extension String {
    fileprivate var splitAtFirstDot: (String, String?) {
        guard let dot = firstIndex(of: ".") else { return (self, nil) }
        return (String(self[..<dot]), String(self[index(after: dot)...]))
    }
}
