internal import EventLoops
internal import Hummingbird
internal import Logging
internal import NIOCore

extension Gateway {
    /// Answers requests until graceful shutdown.
    func runServer(_ router: GatewayRouter) async throws {
        // Hummingbird's own news at its start and end are told by ours.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router.router(),
            server: .http1(configuration: .init(idleTimeout: .nanoseconds(configuration.idleTimeout.nanosecondsClamped))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "troupe-gateway"),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("gateway listens", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
                await onRunning(port)
            },
            logger: serverLogger)
        try await application.run()
    }
}
