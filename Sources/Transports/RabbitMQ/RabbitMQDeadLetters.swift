internal import AMQP
internal import EventLoops

/// RabbitMQ's dead letters, each visit on a connection of its own.
public struct RabbitMQDeadLetters: DeadLetterQueues {
    private let topology: Topology

    public init(_ settings: RabbitMQSettings) {
        topology = Topology(settings: settings)
    }

    public func openDeadLetters(of actor: String) async throws(TransportError) -> (any DeadLetterReader)? {
        let queue = topology.deadLetterQueue(of: actor)
        var endpoint = topology.settings.endpoint
        // Nobody looks after the connection while a person, or a publish, takes its time.
        endpoint.heartbeatSeconds = 0
        do throws(AMQPError) {
            return try await BlockingThread.run { [endpoint] () throws(AMQPError) in
                let link = try Link.dial(endpoint)
                if let count = try link.length(ofQueue: queue) {
                    return Reader(link: link, queue: queue, actor: actor, count: count)
                }
                link.close()
                return nil
            }
        } catch { throw TransportError(error) }
    }

    private actor Reader: DeadLetterReader {
        nonisolated let count: Int
        private let link: Link
        private let queue: String
        private let actor: String
        private var read = 0

        private static let batchBytes = 16 << 20

        init(link: Link, queue: String, actor: String, count: Int) {
            self.link = link
            self.queue = queue
            self.actor = actor
            self.count = count
        }

        func next(limit: Int) async throws(TransportError) -> [DeadLetterMessage] {
            // Only those of the beginning: one that is replayed and dies again meanwhile comes to the end of the queue.
            let (link, queue, actor, limit) = (link, queue, actor, min(limit, count - read))
            do throws(AMQPError) {
                let messages = try await BlockingThread.run { () throws(AMQPError) in
                    var messages: [DeadLetterMessage] = []
                    var bytes = 0
                    while messages.count < limit, bytes < Self.batchBytes, let message = try link.get(from: queue) {
                        bytes += message.body.count
                        messages.append(DeadLetterMessage(message, actor: actor))
                    }
                    return messages
                }
                read = messages.isEmpty ? count : read + messages.count
                return messages
            } catch { throw TransportError(error) }
        }

        func remove(_ message: DeadLetterMessage) async throws(TransportError) {
            let link = link
            do throws(AMQPError) {
                try await BlockingThread.run { () throws(AMQPError) in try link.acknowledge(message.tag) }
            } catch { throw TransportError(error) }
        }

        func close() async {
            let link = link
            await BlockingThread.run { link.close() }
        }
    }
}

extension DeadLetterMessage {
    fileprivate init(_ message: Consumer.Message, actor: String) {
        self.init(
            tag: message.tag, id: message.messageID ?? "", body: message.body,
            deadLetter: DeadLetter(message) ?? DeadLetter(actor: actor, reason: "unknown", time: message.timestamp))
    }
}

extension TransportError {
    fileprivate init(_ error: AMQPError) { self.init(.connectionLost, error.message) }
}
