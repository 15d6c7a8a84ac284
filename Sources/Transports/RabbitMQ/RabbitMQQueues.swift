internal import AMQP
internal import EventLoops

/// RabbitMQ's queues as AMQP tells of them, each visit on a connection of its own. Needs no management plugin.
public struct RabbitMQQueues: QueueObserver {
    private let topology: Topology
    private let endpoint: Endpoint

    public init(_ settings: RabbitMQSettings) {
        topology = Topology(settings: settings)
        var endpoint = settings.endpoint
        // Somebody waits for the answer, and gets one without these numbers, too.
        endpoint.timeout = min(endpoint.timeout, .seconds(2))
        self.endpoint = endpoint
    }

    public func name(of queue: ObservedQueue) -> String {
        switch queue {
        case .actor(let name): topology.queue(of: name)
        case .deadLetters(let name): topology.deadLetterQueue(of: name)
        case .statusReports: topology.reportQueue
        case .deadLetterNotices: topology.deadLetterNoticeQueue
        case .controlRequests: topology.controlRequestQueue
        }
    }

    public func look(at queues: [ObservedQueue]) async throws(TransportError) -> [ObservedQueue: QueueState] {
        let names = queues.map(name)
        let counts: [String: Link.QueueCounts]
        do throws(AMQPError) {
            counts = try await BlockingThread.run { [endpoint] () throws(AMQPError) in
                let link = try Link.dial(endpoint)
                let counts = try link.counts(ofQueues: names)
                link.close()
                return counts
            }
        } catch { throw TransportError(.connectionLost, error.message) }
        var states: [ObservedQueue: QueueState] = [:]
        for (queue, name) in zip(queues, names) {
            guard let counts = counts[name] else { continue }
            states[queue] = QueueState(ready: counts.messages, consumers: counts.consumers)
        }
        return states
    }
}
