public import Transports

/// The queues of an embedded broker, which knows them by heart: a look reads nothing.
public struct EmbeddedQueues: QueueObserver {
    private let broker: EmbeddedBroker

    public init(_ broker: EmbeddedBroker) { self.broker = broker }

    public func name(of queue: ObservedQueue) -> String { queue.queue.text }

    public func look(at queues: [ObservedQueue]) async throws(TransportError) -> [ObservedQueue: QueueState] {
        guard let states = await broker.states(of: queues.map(\.queue)) else {
            throw TransportError(.connectionLost, "the embedded broker is closed")
        }
        var seen: [ObservedQueue: QueueState] = [:]
        for (queue, state) in zip(queues, states) { seen[queue] = state }
        return seen
    }
}
