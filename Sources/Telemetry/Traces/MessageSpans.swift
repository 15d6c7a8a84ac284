public import Envelopes
public import EventLoops

/// Spans about messages, named after OpenTelemetry's conventions for messaging over RabbitMQ.
public struct MessageSpans: Sendable {
    /// What things are called at the broker.
    public struct Broker: Sendable {
        public var exchange: String
        public var queuePrefix: String
        public var host: String
        public var port: Int

        /// - Parameter exchange: of messages to actors.
        public init(
            exchange: String = "troupe", queuePrefix: String = "troupe-", host: String = "127.0.0.1", port: Int = 5672
        ) {
            self.exchange = exchange
            self.queuePrefix = queuePrefix
            self.host = host
            self.port = port
        }
    }

    public let tracer: Tracer
    private let broker: Broker

    public init(_ tracer: Tracer, _ broker: Broker) {
        self.tracer = tracer
        self.broker = broker
    }

    /// A try to publish a message, which has just ended.
    /// - Parameters:
    ///   - context: as it stands in the message. A try that has failed gets another: the message may be sent again.
    ///   - error: why it is not confirmed.
    public func published(
        _ context: TraceParent, below parent: TraceParent?, to actor: String, id: String, bytes: Int,
        since start: MonotonicTime, error: String? = nil, links: [TraceParent] = []
    ) {
        let own = error == nil ? context : context.child()
        tracer.record(
            {
                let destination = "\(broker.exchange):\(actor)"
                var span = Span(
                    "publish \(destination)", .producer, own, below: parent, since: start,
                    attributes("publish", "send", destination, actor, id, bytes), error: error)
                span.links = links
                return span
            }(), if: context)
    }

    /// A delivery, which is settled now.
    /// - Parameter more: what else is known of it.
    public func processed(
        _ context: TraceParent, below parent: TraceParent?, at actor: String, id: String, bytes: Int,
        since start: MonotonicTime, error: String?, _ more: [String: Span.Value]
    ) {
        tracer.record(
            {
                let destination = "\(broker.exchange):\(actor):\(broker.queuePrefix)\(actor)"
                var span = Span(
                    "process \(destination)", .consumer, context, below: parent, since: start,
                    attributes("process", "process", destination, actor, id, bytes).merging(more) { $1 }, error: error)
                // The conventions want what made the message as a link, and allow it as the parent too.
                span.links = [parent].compactMap(\.self)
                return span
            }(), if: context)
    }

    private func attributes(
        _ operation: String, _ type: String, _ destination: String, _ actor: String, _ id: String, _ bytes: Int
    ) -> [String: Span.Value] {
        [
            "messaging.system": "rabbitmq", "server.address": .text(broker.host),
            "server.port": .integer(broker.port), "messaging.operation.name": .text(operation),
            "messaging.operation.type": .text(type),
            "messaging.destination.name": .text(destination),
            "messaging.rabbitmq.destination.routing_key": .text(actor), "messaging.message.id": .text(id),
            "messaging.message.body.size": .integer(bytes),
        ]
    }
}
