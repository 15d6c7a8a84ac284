/// What a sidecar tells the gateway about one envelope: the body of `POST /envelopes/{id}/progress` and `/final`, and,
/// over the broker, a message on the exchange `troupe.events`.
public struct StatusReport: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A fan-out child exists now.
        case created
        case progress
        case final
        /// It had ended, and an operator has sent it on its way again.
        case reopened
    }

    public var kind: Kind
    /// The same for a repeated report of the same step, so that a redelivery counts once.
    public var eventID: String
    public var envelopeID: String
    public var parentID: String?
    /// Progress: `received`, `processing`, `completed`, `retrying`. Final: `succeeded`, `failed`,
    /// `cancelled`. Created: `pending`. Reopened: `running`.
    public var status: String
    public var actors: [String]
    /// From 0; equals `actors.count` when the route is done.
    public var currentActorIndex: Int
    public var currentActorName: String?
    /// How often the envelope has been sent on its way again after it had ended, and how often its route has led back:
    /// of two reports the one with more of them tells the newer state, wherever on the route it is.
    public var replays: Int
    public var loops: Int
    public var message: String?
    /// At this actor, from 1.
    public var attempt: Int?
    /// Of a `retrying` envelope (ISO 8601).
    public var nextAttemptAt: String?
    public var durationMilliseconds: Int?
    public var messageSizeKilobytes: Double?
    public var result: RawJSON?
    public var error: String?
    public var errorDetails: RawJSON?
    /// Of an end that is no success: the message that the last actor got, to send it there again.
    public var failedMessage: RawJSON?
    /// ISO 8601, UTC, microseconds.
    public var timestamp: String

    public init(
        kind: Kind, eventID: String, envelopeID: String, parentID: String? = nil, status: String, actors: [String],
        currentActorIndex: Int, currentActorName: String? = nil, message: String? = nil, attempt: Int? = nil,
        nextAttemptAt: String? = nil,
        durationMilliseconds: Int? = nil,
        messageSizeKilobytes: Double? = nil, result: RawJSON? = nil, error: String? = nil, errorDetails: RawJSON? = nil,
        replays: Int = 0, loops: Int = 0, timestamp: String = Timestamp.now()
    ) {
        self.kind = kind
        self.eventID = eventID
        self.envelopeID = envelopeID
        self.parentID = parentID
        self.status = status
        self.actors = actors
        self.currentActorIndex = currentActorIndex
        self.currentActorName = currentActorName
        self.message = message
        self.attempt = attempt
        self.nextAttemptAt = nextAttemptAt
        self.durationMilliseconds = durationMilliseconds
        self.messageSizeKilobytes = messageSizeKilobytes
        self.result = result
        self.error = error
        self.errorDetails = errorDetails
        self.replays = replays
        self.loops = loops
        self.timestamp = timestamp
    }

    /// About an envelope as it is.
    public init(_ kind: Kind, of envelope: Envelope, eventID: String, status: String) {
        self.init(
            kind: kind, eventID: eventID, envelopeID: envelope.id, parentID: envelope.parentID, status: status,
            actors: envelope.route.actors, currentActorIndex: envelope.route.current,
            currentActorName: envelope.route.currentActor, replays: envelope.headers.replays,
            loops: envelope.headers.loops)
    }
}
