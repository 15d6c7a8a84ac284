public import EventLoops
internal import HTTPClient
public import Logging
internal import Telemetry
public import Transports

/// A sidecar with all that belongs to it, over a transport that somebody else has made: alone in a process, or one of many.
public actor ServingSidecar {
    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    public nonisolated let runtime: Runtime
    nonisolated let registry: MetricsRegistry
    private let metrics: SidecarMetrics
    private let sidecar: Sidecar
    private let transport: any Transport
    private let exporter: SpanExporter?
    private var serving: Task<Void, Never>?

    /// - Parameters:
    ///   - transport: for this one alone, since it ends with it.
    ///   - crashRuntime: kills the runtime's process, which somebody starts again; `nil` where nobody can.
    ///   - onRuntimeHang: the runtime has not answered in time and that delivery is settled; its process must be replaced.
    public init(
        _ configuration: SidecarConfiguration, over transport: any Transport, on loop: EventLoop, logger: Logger,
        crashRuntime: (@Sendable () -> Void)? = nil,
        onRuntimeHang: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        self.transport = transport
        runtime = Runtime(
            path: configuration.socketPath, connections: configuration.concurrency,
            limits: configuration.policy.limits, takesEvents: configuration.takesEvents, on: loop)
        metrics = SidecarMetrics(
            namespace: configuration.metricsNamespace,
            queue: configuration.broker.queuePrefix + configuration.policy.actorName)
        let registry = metrics.registry
        for metric in configuration.customMetrics { metric.register(in: registry) }
        self.registry = registry
        exporter = configuration.traces.map { SpanExporter($0, on: loop, metrics: registry, logger: logger) }
        sidecar = Sidecar(
            configuration, transport: transport, runtime: runtime,
            reporter: Self.reporter(configuration, transport, on: loop, logger: logger), metrics: metrics,
            spans: exporter.map { MessageSpans($0.tracer, configuration.namesAtBroker) }, on: loop, logger: logger,
            crashRuntime: crashRuntime, onRuntimeHang: onRuntimeHang)
    }

    private static func reporter(
        _ configuration: SidecarConfiguration, _ transport: any Transport, on loop: EventLoop, logger: Logger
    ) -> any Reporter {
        if let gateway = configuration.gatewayURL {
            let reporter = HTTPReporter(
                to: gateway, key: configuration.gatewayKey, with: HTTPClient(on: loop), on: loop, logger: logger)
            Task(executorPreference: loop) { await reporter.run() }
            return reporter
        }
        return configuration.reports == .broker ? BrokerReporter(over: transport) : NoReporter()
    }

    /// Deliveries that are not settled.
    public nonisolated var inFlight: Int { metrics.active.value }

    /// Whether it takes deliveries, as far as there are any.
    public var hasBegun: Bool { get async { await sidecar.hasBegun } }

    /// Serves until `stop`.
    public func start() {
        serving = Task(executorPreference: loop) { [sidecar] in await sidecar.run() }
    }

    /// Takes nothing new, hands back what has not begun, lets what runs finish for as long as `grace`, then leaves the
    /// rest to the broker.
    public func stop(grace: Duration) async {
        await transport.stopConsuming()
        await runtime.drain()
        let finished = Task(executorPreference: loop) { [serving] in await serving?.value }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await finished.value }
            group.addTask { [loop] in await loop.sleep(for: grace) }
            await group.next()
            // A task that waits for another does not hear of its own cancellation; the transport's end ends what it
            // waits for.
            await transport.shutdown()
            serving?.cancel()
            // Calls that outlast the grace are the broker's again: waiting for their replies would serve nobody.
            await runtime.stop()
            group.cancelAll()
        }
    }

    /// Sends what is left of spans; after `stop`.
    public func finish() async { await exporter?.shutdown(within: .seconds(5)) }
}

extension SidecarConfiguration {
    fileprivate var namesAtBroker: MessageSpans.Broker {
        .init(exchange: broker.exchange, queuePrefix: broker.queuePrefix, host: broker.host, port: broker.port)
    }
}
