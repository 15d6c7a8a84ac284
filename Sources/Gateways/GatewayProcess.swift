internal import EventLoops
internal import Glibc
internal import Logging
internal import ServiceLifecycle
public import Settings
internal import Telemetry
internal import Transports
internal import UnixSignals

/// The life of a gateway process.
public enum GatewayProcess {
    /// Runs until SIGTERM or SIGINT and returns the exit code (sysexits): 0 after a drain, 78 for wrong settings, tools or schema, 69
    /// when the database doesn't answer at start, 1 when the address can't be listened on.
    public static func run(_ settings: Settings) async -> Int32 {
        var settings = settings
        var configuration = Configuration(&settings)
        let database = GatewayDatabase.postgreSQL(&settings)
        let broker = RabbitMQSettings(&settings, connectionName: "troupe-gateway")
        configuration.broker = .init(
            exchange: broker.exchange, queuePrefix: broker.queuePrefix, host: broker.host, port: broker.port)
        let level: Logger.Level = settings.choice("LOG_LEVEL", default: .info)
        guard settings.problems.isEmpty else {
            for problem in settings.problems { print(error: "\(problem)") }
            return EX_CONFIG
        }

        let logger = Logger(label: "troupe-gateway") {
            JSONLogHandler(label: $0, level: level, metadataProvider: RequestScope.metadataProvider)
        }
        let loop = EventLoop(name: "gateway-amqp")
        defer { loop.stop() }
        let transport = RabbitMQTransport(broker, on: loop, logger: logger)
        await transport.connect()
        let code = await serve(
            Gateway(
                configuration: configuration, database: database, transport: transport,
                deadLetters: RabbitMQDeadLetters(broker), queues: RabbitMQQueues(broker), logger: logger), logger)
        await transport.shutdown()
        logger.info("stopped", metadata: ["code": "\(code)"])
        return code
    }

    private static func serve(_ gateway: Gateway, _ logger: Logger) async -> Int32 {
        var groupLogger = logger
        groupLogger.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: .init(
                services: [gateway], gracefulShutdownSignals: [.sigterm, .sigint], logger: groupLogger))
        do {
            try await group.run()
            return EXIT_SUCCESS
        } catch let error as GatewayStartError {
            print(error: error.message)
            return error.exitCode
        } catch {
            print(error: "\(error)")
            return EXIT_FAILURE
        }
    }

    private static func print(error: String) {
        let line = Array(("troupe gateway: " + error + "\n").utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
