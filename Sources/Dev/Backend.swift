internal import AMQP
internal import EmbeddedTransports
internal import EventLoops
internal import Gateways
internal import Logging
internal import SQLite
internal import Settings
internal import Transports

/// The broker and the store that a pipeline runs on.
struct Backend: Sendable {
    /// In words.
    var name: String
    /// One for each who asks, ended by them.
    var transport: @Sendable (_ client: String) async -> any Transport
    var deadLetters: any DeadLetterQueues
    var queues: any QueueObserver
    var database: GatewayDatabase
    /// When all transports have ended.
    var close: @Sendable () async -> Void

    /// Both in one file.
    /// - Parameter path: made where it isn't there.
    /// - Throws: `.inUse`, `.configuration` for settings and files that are none of ours, `.notPermitted`, `.unavailable`.
    static func embedded(
        _ path: String, shownAs name: String, _ settings: Settings, on loop: EventLoop, logger: Logger
    ) async throws(DevError) -> Backend {
        var settings = settings
        let limit = settings.integer("DELIVERY_LIMIT", default: 20, in: 1...1_000_000)
        if let problem = settings.problems.first { throw DevError(.configuration, problem.description) }
        do throws(SQLiteError) {
            let file = try SQLiteFile(path: path)
            let broker = try await EmbeddedBroker.open(file, deliveryLimit: limit, on: loop, logger: logger)
            return Backend(
                name: name, transport: { _ in EmbeddedTransport(broker) },
                deadLetters: EmbeddedDeadLetters(broker), queues: EmbeddedQueues(broker), database: .sqlite(file),
                close: {
                    await broker.close()
                    await file.close()
                })
        } catch { throw DevError(error) }
    }

    /// - Throws: `.configuration`.
    static func servers(_ settings: Settings, on loop: EventLoop, logger: Logger) throws(DevError) -> Backend {
        var settings = settings
        let broker = RabbitMQSettings(&settings, connectionName: "troupe dev")
        let database = GatewayDatabase.postgreSQL(&settings)
        if !settings.problems.isEmpty {
            throw DevError(.configuration, settings.problems.map(\.description).joined(separator: "\n"))
        }
        return Backend(
            name: "RabbitMQ at \(broker.address), PostgreSQL",
            transport: { client in
                var broker = broker
                broker.endpoint.connectionName = "troupe dev \(client)"
                let transport = RabbitMQTransport(broker, on: loop, logger: logger)
                await transport.connect()
                return transport
            },
            deadLetters: RabbitMQDeadLetters(broker), queues: RabbitMQQueues(broker), database: database, close: {})
    }
}

extension DevError {
    /// Of the project's own file.
    fileprivate init(_ error: SQLiteError) {
        let code: Code =
            switch error.code {
            case .inUse: .inUse
            case .notADatabase, .newer: .configuration
            case .notPermitted: .notPermitted
            default: .unavailable
            }
        self.init(code, error.message)
    }
}
