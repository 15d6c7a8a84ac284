internal import EventLoops
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import Synchronization

/// Where a gateway answers.
public struct GatewayPorts: Sendable, Hashable {
    public var main: Int
    /// Of sidecars and monitoring, where they have one.
    public var inside: Int?
}

extension Gateway {
    /// Answers requests until graceful shutdown.
    /// - Parameter identity: `nil`: without TLS.
    func runServer(_ router: GatewayRouter, _ identity: LiveFile<TLSFiles.Identity>?) async throws {
        guard let internalPort = configuration.server.internalPort else {
            return try await listen(.all, configuration.port, router, identity) { await onRunning(.init(main: $0)) }
        }
        let ports = Mutex<[Listener: Int]>([:])
        let started: @Sendable (Listener, Int) async -> Void = { listener, port in
            let both = ports.withLock { ports in
                ports[listener] = port
                return ports[.outside].map { GatewayPorts(main: $0, inside: ports[.inside]) }
            }
            if let both, both.inside != nil { await onRunning(both) }
        }
        try await withThrowingTaskGroup { group in
            for (listener, port) in [(Listener.inside, internalPort), (.outside, configuration.port)] {
                group.addTask {
                    try await listen(listener, port, router, identity) { await started(listener, $0) }
                }
            }
            // One that ends ends the other.
            for try await _ in group {}
        }
    }

    private func listen(
        _ listener: Listener, _ port: Int, _ router: GatewayRouter, _ identity: LiveFile<TLSFiles.Identity>?,
        started: @escaping @Sendable (Int) async -> Void
    ) async throws {
        // Hummingbird's own news at its start and end are told by ours.
        var serverLogger = logger
        serverLogger.logLevel = max(logger.logLevel, .warning)
        let isListening = Atomic(false)
        let host = configuration.host
        let application = Application(
            router: router.router(router.access.on(listener)), server: try builder(identity),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: "troupe-gateway",
                availableConnectionsDelegate: .maximum(configuration.server.connectionLimit, logger: serverLogger)),
            onServerRunning: { channel in
                isListening.store(true, ordering: .releasing)
                let port = channel.localAddress?.port ?? 0
                logger.info(
                    listener == .inside ? "gateway listens for sidecars" : "gateway listens",
                    metadata: ["host": "\(host)", "port": "\(port)", "tls": "\(identity != nil)"])
                await started(port)
            },
            logger: serverLogger)
        do {
            try await application.run()
        } catch let error where !isListening.load(ordering: .acquiring) && !(error is CancellationError) {
            let setting = listener == .inside ? "TROUPE_GATEWAY_INTERNAL_PORT" : "TROUPE_GATEWAY_PORT"
            throw GatewayStartError(
                .unavailable, "TROUPE_GATEWAY_HOST, \(setting): cannot listen on \(host):\(port): \(error)")
        }
    }

    private func builder(_ identity: LiveFile<TLSFiles.Identity>?) throws -> HTTPServerBuilder {
        let (settings, bodyLimit) = (configuration.server, configuration.maxBody)
        let idleTimeout = configuration.idleTimeout
        let http = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [
                    ConnectionGuard(settings, answerPatience: idleTimeout), ContinueHandler(bodyLimit: bodyLimit),
                ],
                idleTimeout: .nanoseconds(idleTimeout.nanosecondsClamped),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: settings.headLimit, maxHeaderListSize: settings.headLimit,
                    maxHeaderFieldCount: settings.headerCountLimit)))
        return try identity.map { try .tls(http, tlsConfiguration: $0.configuration) } ?? http
    }
}
