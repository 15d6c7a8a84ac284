public import Envelopes

/// Moves envelopes between queues: at least once, nothing lost.
///
/// RabbitMQ's implementation is `RabbitMQTransport`; every other one passes the same conformance suite.
public protocol Transport: Sendable {
    /// Makes sure that the source's queue exists, so that others can publish to it; waits while the broker is away.
    func declare(_ source: Source) async

    /// Deliveries of a source, at most `prefetch` (1...65535) unsettled at a time. The stream outlives lost
    /// connections: what was unsettled then comes again as new deliveries. It ends after `stopConsuming()`.
    func deliveries(from source: Source, prefetch: Int) async -> DeliveryStream

    /// No new deliveries of a source until `resume`, also where nobody has asked for them yet; what is here can still be
    /// settled. A few may be on their way already. The queue, and the connection to it, stay.
    func pause(_ source: Source) async

    /// Deliveries of a paused source again.
    func resume(_ source: Source) async

    /// Returns once the broker has the message safe. Waits while the broker is away or blocks publishers, `timeout` at
    /// most.
    /// - Throws: `.unroutable` when no queue takes it, `.refused` when the broker says no, `.connectionLost` when the
    /// connection
    ///   ended before the confirm (it may or may not have arrived), `.timeout`, `.stopped`.
    func publish(_ message: Message, timeout: Duration?) async throws(TransportError)

    /// Settles a delivery once. One of a connection that is gone is left alone: the broker has put it back already.
    func settle(_ delivery: Delivery, _ settlement: Settlement) async

    /// The same for many.
    func settle(_ deliveries: [Delivery], _ settlement: Settlement) async

    /// Loses the connection that consumes a source, on purpose: what it has delivered comes again. A new one is made at
    /// once.
    func disconnect(from source: Source) async

    /// Whether the delivery is ours to work on: `false` once the broker gives it to somebody else. One whose queue was
    /// deleted stays ours, since there is no other copy.
    func isLive(_ delivery: Delivery) async -> Bool

    /// No new deliveries, also from sources that are asked for later; those under way can still be settled.
    func stopConsuming() async

    /// Ends the connections. Unsettled deliveries go back to their queues.
    func shutdown() async

    /// Why the broker asks to be sent nothing just now; `nil` when it does not.
    func blockedReason() async -> String?

    /// What a readiness probe wants to know: `nil` when all is well, else the reason it is not.
    func impediment() async -> String?
}

extension Transport {
    public func settle(_ deliveries: [Delivery], _ settlement: Settlement) async {
        for delivery in deliveries { await settle(delivery, settlement) }
    }
}

/// Where deliveries come from.
public enum Source: Hashable, Sendable {
    /// The queue of an actor.
    case actor(String)
    /// The status reports of all actors: one queue, which one gateway at a time reads.
    case statusReports
    /// A copy of everything that goes to some actor's dead letters, for gateways to tell the envelope's state.
    case deadLetterNotices
    /// What gateways tell all sidecars, `ControlMessage`s. Each inbox gets everything that is sent while it is there.
    case control(inbox: String)
    /// Sidecars that ask what is in force, `ControlRequest`s: one queue that all gateways share.
    case controlRequests
}

public struct Delivery: Sendable {
    /// Names the delivery on the connection that brought it.
    public struct Token: Hashable, Sendable {
        public var generation: UInt64
        public var tag: UInt64

        public init(generation: UInt64, tag: UInt64) {
            self.generation = generation
            self.tag = tag
        }
    }

    public let token: Token
    public let source: Source
    /// Whoever has taken it over may empty it.
    public var body: [UInt8]
    public let isRedelivered: Bool
    /// How often it has been delivered before, as far as anybody has counted.
    public let priorDeliveries: Int
    /// Whether the queue counts further deliveries by itself. Where not (classic queues), a redelivered message must be
    /// sent again with its count, or it may kill its consumers for ever.
    public let isCounted: Bool
    /// When it was published, in seconds since 1970; `nil` where nobody says. The same for each redelivery.
    public let publishedAt: Int?
    /// Since when it has been in its queue, in seconds since 1970: when it was published, or when the delay that it came
    /// with was over; `nil` where nobody says.
    public let queuedAt: Int?
    /// Why it is a dead letter, where it is one.
    public let deadLetter: DeadLetter?

    public init(
        token: Token, source: Source, body: [UInt8], isRedelivered: Bool, priorDeliveries: Int = 0,
        isCounted: Bool = true, publishedAt: Int? = nil, queuedAt: Int? = nil, deadLetter: DeadLetter? = nil
    ) {
        self.token = token
        self.source = source
        self.body = body
        self.isRedelivered = isRedelivered
        self.priorDeliveries = priorDeliveries
        self.isCounted = isCounted
        self.publishedAt = publishedAt
        self.queuedAt = queuedAt ?? publishedAt
        self.deadLetter = deadLetter
    }
}

/// How a message came to the dead letters.
public struct DeadLetter: Sendable, Hashable {
    /// Whose dead letters they are.
    public var actor: String
    /// `delivery_limit`, `rejected`, ... by the broker, or a sentence by a sidecar.
    public var reason: String
    /// Seconds since 1970; `nil` where the broker does not say.
    public var time: Int?

    public init(actor: String, reason: String, time: Int? = nil) {
        self.actor = actor
        self.reason = reason
        self.time = time
    }
}

public enum Settlement: Sendable, Hashable {
    case acknowledge
    /// Back to its queue, for whoever is next.
    case requeue
}

public struct Message: Sendable {
    public enum Destination: Hashable, Sendable {
        case actor(String)
        case statusReports(StatusReport.Kind)
        /// All inboxes.
        case control
        case controlInbox(String)
        case controlRequests
        /// The dead-letter queue of an actor; the reason travels in a message header.
        case deadLetters(actor: String, reason: String)
    }

    public var destination: Destination
    /// The broker's `message_id`: the envelope's id.
    public var id: String
    public var body: [UInt8]
    /// How long the broker keeps it before the actor's queue gets it: 50 ms to 30 days, kept to within 100 ms or 10 %.
    /// Less than 25 ms is no delay; more than 30 days is 30 days. Only messages to actors wait.
    public var delay: Duration
    /// What a delay is brought into, where there is one.
    public static let delays = Duration.milliseconds(50)...Duration.seconds(30 * 86_400)
    /// How often it has been delivered before: goes with it to queues that do not count.
    public var priorDeliveries: Int

    public init(
        to destination: Destination, id: String, body: [UInt8], delay: Duration = .zero, priorDeliveries: Int = 0
    ) {
        self.destination = destination
        self.id = id
        self.body = body
        self.delay = delay
        self.priorDeliveries = priorDeliveries
    }

    /// The delay that it will have; `nil` where it goes at once.
    public var effectiveDelay: Duration? {
        guard case .actor = destination, delay >= Self.delays.lowerBound / 2 else { return nil }
        return min(max(delay, Self.delays.lowerBound), Self.delays.upperBound)
    }

    /// For the gateways.
    public init(_ report: StatusReport) {
        self.init(to: .statusReports(report.kind), id: report.envelopeID, body: report.encoded())
    }
}

public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case unroutable, refused, connectionLost = "connection_lost", timeout, stopped
    }

    public let code: Code
    /// What happened, in words; holds no secret and no payload.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
