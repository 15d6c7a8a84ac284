internal import EventLoops
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Synchronization

extension Gateway {
    /// Answers requests until graceful shutdown.
    func runServer(_ router: GatewayRouter) async throws {
        // Hummingbird's own news at its start and end are told by ours.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .warning)
        let bodyLimit = configuration.maxBody
        let isListening = Atomic(false)
        let application = Application(
            router: router.router(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [ContinueHandler(bodyLimit: bodyLimit)],
                    idleTimeout: .nanoseconds(configuration.idleTimeout.nanosecondsClamped))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "troupe-gateway"),
            onServerRunning: { channel in
                isListening.store(true, ordering: .releasing)
                let port = channel.localAddress?.port ?? 0
                logger.info("gateway listens", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
                await onRunning(port)
            },
            logger: serverLogger)
        do {
            try await application.run()
        } catch let error where !isListening.load(ordering: .acquiring) && !(error is CancellationError) {
            throw GatewayStartError(
                .unavailable,
                "TROUPE_GATEWAY_HOST, TROUPE_GATEWAY_PORT: cannot listen on \(configuration.host):\(configuration.port): \(error)"
            )
        }
    }
}
