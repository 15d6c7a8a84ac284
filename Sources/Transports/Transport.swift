public import Envelopes

/// Moves envelopes between queues: at least once, nothing lost.
///
/// RabbitMQ's implementation is `RabbitMQTransport`; every other one passes the same conformance suite.
public protocol Transport: Sendable {
    /// Makes sure that the source's queue exists, so that others can publish to it; waits while the broker is away.
    func declare(_ source: Source) async

    /// Deliveries of a source, at most `prefetch` (1...65535) unsettled at a time. The stream outlives lost
    /// connections: what was unsettled then comes again as new deliveries. It ends after `stopConsuming()`.
    func deliveries(from source: Source, prefetch: Int) async -> AsyncStream<Delivery>

    /// Returns once the broker has the message safe. Waits while the broker is away or blocks publishers, `timeout` at
    /// most.
    /// - Throws: `.unroutable` when no queue takes it, `.refused` when the broker says no, `.connectionLost` when the
    /// connection
    ///   ended before the confirm (it may or may not have arrived), `.timeout`, `.stopped`.
    func publish(_ message: Message, timeout: Duration?) async throws(TransportError)

    /// Settles a delivery once. One of a connection that is gone is left alone: the broker has put it back already.
    func settle(_ delivery: Delivery, _ settlement: Settlement) async

    /// Whether the delivery is ours to work on: `false` once the broker gives it to somebody else. One whose queue was
    /// deleted stays ours, since there is no other copy.
    func isLive(_ delivery: Delivery) async -> Bool

    /// No new deliveries, also from sources that are asked for later; those under way can still be settled.
    func stopConsuming() async

    /// Ends the connections. Unsettled deliveries go back to their queues.
    func shutdown() async

    /// What a readiness probe wants to know: `nil` when all is well, else the reason it is not.
    func impediment() async -> String?
}

/// Where deliveries come from.
public enum Source: Hashable, Sendable {
    /// The queue of an actor.
    case actor(String)
    /// The status reports of all actors: one queue that all gateways share.
    case statusReports
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
    public let body: [UInt8]
    public let isRedelivered: Bool
    /// How often the broker has delivered it before, where it counts (quorum queues).
    public let priorDeliveries: Int

    public init(token: Token, source: Source, body: [UInt8], isRedelivered: Bool, priorDeliveries: Int) {
        self.token = token
        self.source = source
        self.body = body
        self.isRedelivered = isRedelivered
        self.priorDeliveries = priorDeliveries
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

    public init(to destination: Destination, id: String, body: [UInt8], delay: Duration = .zero) {
        self.destination = destination
        self.id = id
        self.body = body
        self.delay = delay
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
