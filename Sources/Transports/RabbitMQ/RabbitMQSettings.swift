public import AMQP
public import Settings

/// How to reach the broker, and what things are called there.
public struct RabbitMQSettings: Sendable {
    public enum QueueType: String, Sendable, CaseIterable { case quorum, classic }

    public var endpoint: Endpoint
    public var exchange: String
    public var queuePrefix: String
    public var queueType: QueueType
    /// Whether queues that are not there are declared.
    public var createsQueues: Bool
    /// Deliveries of one message before a quorum queue gives it to the dead letters: the backstop against what kills
    /// its consumer.
    public var deliveryLimit: Int

    public init(
        endpoint: Endpoint, exchange: String = "troupe", queuePrefix: String = "troupe-",
        queueType: QueueType = .quorum,
        createsQueues: Bool = true, deliveryLimit: Int = 20
    ) {
        self.endpoint = endpoint
        self.exchange = exchange
        self.queuePrefix = queuePrefix
        self.queueType = queueType
        self.createsQueues = createsQueues
        self.deliveryLimit = deliveryLimit
    }

    /// Host and port, fit for logs.
    public var address: String { endpoint.address }
    public var host: String { endpoint.host }
    public var port: Int { endpoint.port }

    /// Reads `TROUPE_RABBITMQ_*` and `TROUPE_QUEUE_*`; mistakes go to `settings.problems`.
    public init(_ settings: inout Settings, connectionName: String) {
        var endpoint = Endpoint()
        if let url = settings.text("RABBITMQ_URL") {
            do throws(AMQPError) { endpoint = try Endpoint(url: url) } catch {
                settings.problem("TROUPE_RABBITMQ_URL", error.message)
            }
        } else {
            endpoint.host = settings.text("RABBITMQ_HOST", default: endpoint.host)
            endpoint.port = settings.integer("RABBITMQ_PORT", default: endpoint.port, in: 1...65535)
            endpoint.username = settings.text("RABBITMQ_USERNAME", default: endpoint.username)
            endpoint.password = settings.text("RABBITMQ_PASSWORD", default: endpoint.password)
            endpoint.virtualHost = settings.text("RABBITMQ_VHOST", default: endpoint.virtualHost)
            endpoint.tls = settings.flag("RABBITMQ_TLS", default: false) ? Endpoint.TLS() : nil
        }
        if let authorities = settings.text("RABBITMQ_CA_FILE") { endpoint.tls?.authorities = authorities }
        switch (settings.text("RABBITMQ_CERT_FILE"), settings.text("RABBITMQ_KEY_FILE")) {
        case (let certificate?, let key?): endpoint.tls?.identity = .init(certificate: certificate, key: key)
        case (nil, nil): break
        default:
            settings.problem("TROUPE_RABBITMQ_CERT_FILE", "goes with TROUPE_RABBITMQ_KEY_FILE: set both or neither")
        }
        endpoint.connectionName = connectionName
        endpoint.heartbeatSeconds = settings.integer(
            "RABBITMQ_HEARTBEAT", default: endpoint.heartbeatSeconds, in: 1...3600)
        self.init(
            endpoint: endpoint, exchange: settings.text("RABBITMQ_EXCHANGE", default: "troupe"),
            queuePrefix: settings.text("QUEUE_PREFIX", default: "troupe-"),
            queueType: settings.choice("RABBITMQ_QUEUE_TYPE", default: .quorum),
            createsQueues: settings.flag("QUEUE_AUTO_CREATE", default: true),
            deliveryLimit: settings.integer("DELIVERY_LIMIT", default: 20, in: 1...1_000_000))
        for (name, value) in [("RABBITMQ_EXCHANGE", exchange), ("QUEUE_PREFIX", queuePrefix)]
        where value.utf8.count > 50 {
            settings.problem("TROUPE_\(name)", "is longer than 50 bytes")
        }
    }
}
