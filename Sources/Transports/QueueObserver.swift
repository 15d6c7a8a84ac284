/// Looks at queues from outside, for people who watch them.
public protocol QueueObserver: Sendable {
    /// The broker's name for a queue.
    func name(of queue: ObservedQueue) -> String

    /// How all of these are just now, in one visit.
    /// - Returns: nothing for a queue that is not there.
    /// - Throws: `.connectionLost` where the broker is away or refuses.
    func look(at queues: [ObservedQueue]) async throws(TransportError) -> [ObservedQueue: QueueState]
}

/// The queues that have one name for all.
public enum ObservedQueue: Hashable, Sendable {
    case actor(String)
    case deadLetters(actor: String)
    /// What actors tell the gateways.
    case statusReports
    /// Copies of what goes to the dead letters, for gateways.
    case deadLetterNotices
    /// Sidecars that ask gateways what is in force.
    case controlRequests
}

public struct QueueState: Hashable, Sendable {
    /// Messages that nobody has been given, or that came back. Those with a consumer are not counted.
    public var ready: Int
    public var consumers: Int

    public init(ready: Int, consumers: Int) {
        self.ready = ready
        self.consumers = consumers
    }
}
