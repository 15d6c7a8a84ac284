internal import AMQP
internal import EventLoops
internal import Gateways
internal import Logging
internal import Settings
internal import Transports

/// The broker and the store that a pipeline runs on.
struct Backend: Sendable {
    /// In words.
    var name: String
    /// One for each who asks, ended by them.
    var transport: @Sendable (_ name: String) async -> any Transport
    var deadLetters: any DeadLetterQueues
    var queues: any QueueObserver
    var database: GatewayDatabase
    /// When all transports have ended.
    var close: @Sendable () async -> Void

    /// - Throws: `.configuration`.
    static func rabbitMQ(_ settings: Settings, on loop: EventLoop, logger: Logger) throws(DevError) -> Backend {
        var settings = settings
        let broker = RabbitMQSettings(&settings, connectionName: "troupe dev")
        let database = GatewayDatabase.postgreSQL(&settings)
        if !settings.problems.isEmpty {
            throw DevError(.configuration, settings.problems.map(\.description).joined(separator: "\n"))
        }
        return Backend(
            name: "RabbitMQ at \(broker.address), PostgreSQL",
            transport: { name in
                var broker = broker
                broker.endpoint.connectionName = "troupe dev \(name)"
                let transport = RabbitMQTransport(broker, on: loop, logger: logger)
                await transport.connect()
                return transport
            },
            deadLetters: RabbitMQDeadLetters(broker), queues: RabbitMQQueues(broker), database: database, close: {})
    }
}
