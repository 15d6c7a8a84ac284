internal import CRabbitMQ

/// What went wrong between us and the broker. Holds no password and no payload.
public struct AMQPError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case invalidURL = "invalid_url"
        /// No connection: name, route, port.
        case unreachable
        case tls
        /// User, password or virtual host refused.
        case accessRefused = "access_refused"
        /// AMQP 404.
        case notFound = "not_found"
        /// AMQP 406: it is there, but differently.
        case preconditionFailed = "precondition_failed"
        /// The broker closed the channel or the connection for another reason.
        case closedByBroker = "closed_by_broker"
        /// The broker ended our consumer: its queue was deleted or moved.
        case consumerCancelled = "consumer_cancelled"
        case connectionLost = "connection_lost"
        case timeout
        case `protocol` = "protocol_error"
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }

    /// From a status of rabbitmq-c.
    init(status: Int32, during step: String) {
        let code: Code =
            switch status {
            case AMQP_STATUS_TIMEOUT.rawValue: .timeout
            case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED.rawValue: .unreachable
            case AMQP_STATUS_CONNECTION_CLOSED.rawValue, AMQP_STATUS_SOCKET_ERROR.rawValue,
                AMQP_STATUS_SOCKET_CLOSED.rawValue, AMQP_STATUS_TCP_ERROR.rawValue,
                AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue:
                .connectionLost
            case AMQP_STATUS_SSL_ERROR.rawValue, AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED.rawValue,
                AMQP_STATUS_SSL_PEER_VERIFY_FAILED.rawValue, AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue:
                .tls
            default: .protocol
            }
        self.init(code, "\(step): \(String(cString: amqp_error_string2(status)))")
    }

    /// From a `close` method of the broker.
    init(replyCode: UInt16, text: String, during step: String) {
        let code: Code =
            switch replyCode {
            case 403, 530: .accessRefused
            case 404: .notFound
            case 406: .preconditionFailed
            default: .closedByBroker
            }
        self.init(code, "\(step): broker says \(replyCode) \(text)")
    }
}
