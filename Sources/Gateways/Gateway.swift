internal import EventLoops
public import Logging
public import ServiceLifecycle
internal import Telemetry
public import Transports

/// The front door: submits envelopes, knows their state, streams their history.
///
/// Any number of gateways may run on one PostgreSQL database and one broker.
public struct Gateway: Service {
    let configuration: Configuration
    private let database: GatewayDatabase
    private let transport: any Transport
    private let deadLetters: any DeadLetterQueues
    private let queues: any QueueObserver
    let logger: Logger
    let onRunning: @Sendable (GatewayPorts) async -> Void

    /// - Parameters:
    ///   - transport: shut down by the caller, after `run` has returned.
    ///   - onRunning: called with the ports once requests are answered.
    public init(
        configuration: Configuration, database: GatewayDatabase, transport: any Transport,
        deadLetters: any DeadLetterQueues, queues: any QueueObserver, logger: Logger,
        onRunning: @escaping @Sendable (GatewayPorts) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.database = database
        self.transport = transport
        self.deadLetters = deadLetters
        self.queues = queues
        self.logger = logger
        self.onRunning = onRunning
    }

    /// Runs until graceful shutdown: then no new requests, streams end, and what is under way is brought to its end, for
    /// `drainTimeout` at most.
    /// - Throws: `GatewayStartError`.
    public func run() async throws {
        let tools = try readTools()
        let keys = try readKeys()
        let identity = try readIdentity()
        logger.info(
            "starting",
            metadata: [
                "host": "\(configuration.host)", "port": "\(configuration.port)", "tools": "\(tools.tools.count)",
                "database": "\(database.source)", "max_body": "\(configuration.maxBody)",
                "traces": "\(configuration.traces == nil ? "off" : "on")",
            ])
        let loop = EventLoop(name: "gateway")
        defer { loop.stop() }
        let metrics = GatewayMetrics()
        let database = try await database.source.open(on: loop, metrics, logger: logger)
        do {
            try await serve(tools, keys, identity, database, metrics, loop)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    private func readTools() throws(GatewayStartError) -> ToolCatalogue {
        if let tools = configuration.tools { return tools() }
        guard let path = configuration.configPath else { return ToolCatalogue() }
        do throws(FileErrors) {
            return try ToolCatalogue.read(path)
        } catch {
            throw GatewayStartError(.configuration, "TROUPE_CONFIG_PATH:\n\(error)")
        }
    }

    private var toolReader: LiveFile<ToolCatalogue>.Reader? {
        if let tools = configuration.tools { return { tools() } }
        return configuration.configPath.map(ToolCatalogue.reader)
    }

    private func readKeys() throws(GatewayStartError) -> APIKeyTable? {
        guard let path = configuration.auth.keysPath else { return nil }
        do throws(FileErrors) {
            return try APIKeyFileReader.read(path)
        } catch {
            throw GatewayStartError(.configuration, "TROUPE_API_KEYS_FILE:\n\(error)")
        }
    }

    private func readIdentity() throws(GatewayStartError) -> TLSFiles.Identity? {
        do throws(FileErrors) {
            return try configuration.server.tls?.read()
        } catch {
            throw GatewayStartError(.configuration, "TROUPE_GATEWAY_TLS_CERT, TROUPE_GATEWAY_TLS_KEY:\n\(error)")
        }
    }

    private func serve(
        _ tools: ToolCatalogue, _ keys: APIKeyTable?, _ identity: TLSFiles.Identity?,
        _ database: OpenDatabase, _ metrics: GatewayMetrics, _ loop: EventLoop
    ) async throws {
        let auth = AuthServices(configuration.auth, keys, metrics, on: loop, logger: logger)
        try await auth.prepare()
        let exporter = configuration.traces.map {
            SpanExporter($0, on: loop, metrics: metrics.registry, logger: logger)
        }
        let spans = exporter.map { MessageSpans($0.tracer, configuration.broker) }
        let store = database.store
        let updates = SharedUpdateReading(store)
        let hub = UpdateHub(
            news: database.news, updates: updates,
            settings: .init(pollInterval: min(configuration.streamPoll, configuration.keepAlive / 2)), logger: logger)
        let outbox = OutboxPublisher(
            store: store, transport: transport,
            settings: .init(
                publishTimeout: configuration.publishTimeout, grace: configuration.outboxGrace,
                interval: configuration.outboxInterval), metrics: metrics, spans: spans, logger: logger)
        let gate = SubmissionGate(
            store: store, transport: transport, limit: configuration.outboxLimit, horizon: configuration.outboxHorizon)
        let cancellations = CancellationAnnouncer(store: store, transport: transport, metrics: metrics, logger: logger)
        let pauses = PauseAnnouncer(store: store, transport: transport, logger: logger)
        let faults = configuration.faults.map { bounds in
            FaultDesk(
                store: store, bounds: bounds,
                announcer: FaultAnnouncer(store: store, transport: transport, logger: logger), logger: logger)
        }
        let writer = ReportWriter(
            store: store, partialLimit: configuration.partialLimit, cancellations: cancellations, metrics: metrics,
            logger: logger)
        let intakes = [
            ReportIngest.statusReports(writer, transport, prefetch: configuration.reportPrefetch),
            ReportIngest.deadLetterNotices(writer, transport, queues: deadLetters),
        ]
        let answers = ControlRequestAnswers(
            store: store, hasFaults: faults != nil, transport: transport, metrics: metrics, logger: logger)
        let sweep = DeadlineSweep(
            store: store, transport: transport, grace: configuration.deadlineGrace, logger: logger)
        let retention = Retention(store: store, age: configuration.retention, metrics: metrics, logger: logger)
        let catalogue = LiveFile("tools", tools, logger: logger, read: toolReader)
        let router = GatewayRouter(
            store: store, updates: updates, transport: transport, gate: gate, outbox: outbox,
            cancellations: cancellations, pauses: pauses, faults: faults, queues: queues,
            board: ActorBoard(store: store, queues: queues), hub: hub,
            desk: DeadLetterDesk(
                queues: deadLetters, transport: transport, publishTimeout: configuration.publishTimeout, spans: spans,
                logger: logger),
            catalogue: catalogue, metrics: metrics, tracer: spans?.tracer,
            reading: RequestReading(bodyLimit: configuration.maxBody, nestingLimit: configuration.maxNesting),
            outboxGrace: configuration.outboxGrace, outboxHorizon: configuration.outboxHorizon,
            keepAliveInterval: configuration.keepAlive, answerPatience: configuration.idleTimeout,
            mcp: configuration.mcp, access: auth.access, logger: logger)

        let liveIdentity = identity.map { identity in
            LiveFile("certificates", identity, logger: logger, read: configuration.server.tls?.reader)
        }

        let listening = Task { await hub.run() }
        let reloading = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await catalogue.run(interval: configuration.configReload) { hub.wakeAll() } }
                group.addTask { await auth.run(reload: configuration.configReload) }
                group.addTask { await liveIdentity?.run(interval: configuration.configReload) }
            }
        }
        let background = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await outbox.run() }
                for intake in intakes { group.addTask { await intake.run() } }
                group.addTask { await answers.run() }
            }
        }
        // What these leave undone stands in the database, for whichever gateway looks next.
        let duties = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await cancellations.run() }
                group.addTask { await pauses.run() }
                group.addTask { await faults?.announcer.run() }
                group.addTask { await sweep.run() }
                group.addTask { await gate.run() }
                group.addTask { await retention.run() }
            }
        }
        let result: Result<Void, any Error>
        do {
            try await withGracefulShutdownHandler {
                try await runServer(router, liveIdentity)
            } onGracefulShutdown: {
                // The server waits for open connections: streams would keep it for ever.
                hub.finish()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        hub.finish()
        // Streams are nobody's tasks, so the server doesn't wait for their last words.
        await hub.emptied()
        listening.cancel()
        reloading.cancel()
        duties.cancel()
        outbox.stop()
        await drain(background)
        await duties.value
        await listening.value
        await reloading.value
        await exporter?.shutdown(within: .seconds(5))
        try result.get()
    }

    /// The server takes no more requests: send what is accepted, write what has been reported.
    private func drain(_ background: Task<Void, Never>) async {
        await transport.stopConsuming()
        let limit = Task {
            try await Task.sleep(for: configuration.drainTimeout)
            logger.warning("not everything ended in time; it stays in the database and in the broker")
            background.cancel()
        }
        await background.value
        limit.cancel()
    }
}
