internal import CEpoll
internal import EventLoops
internal import Glibc
internal import Logging
public import Settings
internal import Synchronization
internal import Telemetry
internal import Transports

/// The life of a sidecar process: settings, probes, serving, drain.
public enum SidecarProcess {
    /// Runs until SIGTERM or SIGINT and returns the exit code (sysexits): 0 after a drain, 1 when the runtime hung and
    /// must be replaced, 78 for wrong settings, 69 when the probes' address is taken.
    public static func run(_ settings: Settings) -> Int32 {
        Signals.block([SIGTERM, SIGINT])
        keepLargeBuffersApart()
        let configuration: SidecarConfiguration
        do throws(SettingsError) { configuration = try SidecarConfiguration(settings) } catch {
            print(error: "troupe-sidecar: \(error)")
            return EX_CONFIG
        }
        // Everything runs on the loop's thread; this one only waits for the end.
        let loop = EventLoop(name: "sidecar")
        let exit = ExitCode()
        Task(executorPreference: loop) { exit.set(await serve(configuration, on: loop)) }
        return exit.wait()
    }

    private static func serve(_ configuration: SidecarConfiguration, on loop: EventLoop) async -> Int32 {
        let logger = logger(configuration)
        let transport = RabbitMQTransport(configuration.broker, on: loop, logger: logger)
        let (endings, ending) = AsyncStream<Int32>.makeStream()
        let process = configuration.runtimeCommand.map {
            RuntimeProcess(command: $0, environment: configuration.environment, on: loop, logger: logger)
        }
        let replaceRuntime = process.map { process in
            { @Sendable () -> Void in Task(executorPreference: loop) { await process.replace() } }
        }
        let sidecar = ServingSidecar(
            configuration, over: transport, on: loop, logger: logger, crashRuntime: replaceRuntime
        ) {
            if let replaceRuntime {
                logger.error("the runtime hangs: starting it anew")
                replaceRuntime()
            } else if configuration.exitsOnTimeout {
                logger.error("the runtime hangs: ending, so that both are started anew")
                ending.yield(EXIT_FAILURE)
            } else {
                logger.error("the runtime hangs")
            }
        }
        let probes = probeServer(sidecar, transport, on: loop)
        if let address = configuration.probeAddress {
            do throws(ProbeServerError) { _ = try await probes.listen(on: address) } catch {
                print(error: "troupe-sidecar: TROUPE_METRICS_ADDR: \(error)")
                return EX_UNAVAILABLE
            }
        }

        logger.info("starting", metadata: configuration.summary)
        await transport.connect()
        if let process { Task(executorPreference: loop) { await process.run() } }
        await sidecar.start()
        Task(executorPreference: loop) {
            for await signal in Signals.arrivals(of: [SIGTERM, SIGINT], on: loop) {
                logger.info("draining", metadata: ["signal": "\(signal)"])
                ending.yield(EXIT_SUCCESS)
            }
        }
        var code = EXIT_SUCCESS
        for await reason in endings {
            code = reason
            break
        }
        await sidecar.stop(grace: configuration.shutdownGrace)
        await process?.stop()
        await sidecar.finish()
        await probes.close()
        logger.info("stopped", metadata: ["code": "\(code)"])
        return code
    }

    private static func probeServer(
        _ sidecar: ServingSidecar, _ transport: RabbitMQTransport, on loop: EventLoop
    ) -> ProbeServer {
        ProbeServer(
            on: loop,
            routes: [
                "/healthz": { .init(body: "ok\n") },
                "/readyz": {
                    if let impediment = await transport.impediment() {
                        return .init(status: 503, body: impediment + "\n")
                    }
                    guard await sidecar.runtime.probe() else {
                        return .init(
                            status: 503, body: "nobody listens on the runtime's socket: is the handler running?\n")
                    }
                    guard await sidecar.hasBegun else { return .init(status: 503, body: "starting\n") }
                    return .init(body: "ready\n")
                },
                "/metrics": {
                    .init(
                        contentType: "text/plain; version=0.0.4; charset=utf-8",
                        body: sidecar.registry.exposition() + ProcessMetrics.exposition())
                },
            ])
    }

    private static func logger(_ configuration: SidecarConfiguration) -> Logger {
        var logger = Logger(label: "troupe-sidecar") { JSONLogHandler(label: $0, level: configuration.logLevel) }
        logger[metadataKey: "actor"] = "\(configuration.policy.actorName)"
        return logger
    }

    /// Buffers of large payloads are the kernel's again as soon as they are free. The C library would raise its limit for
    /// that with each of them, and keep several (mallopt(3)).
    private static func keepLargeBuffersApart() {
        mallopt(M_MMAP_THRESHOLD, 4 << 20)
        mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }

    private static func print(error: String) {
        let line = Array((error + "\n").utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension SidecarConfiguration {
    /// What the log says at start; no secrets.
    fileprivate var summary: Logger.Metadata {
        [
            "broker": "\(broker.address)", "queue": "\(broker.queuePrefix)\(policy.actorName)",
            "prefetch": "\(prefetch)", "concurrency": "\(concurrency)", "socket": "\(socketPath)",
            "end_actor": "\(policy.isEndActor)", "probes": "\(probeAddress ?? "off")",
            "traces": "\(traces == nil ? "off" : "on")",
        ]
    }
}

/// The exit code, for a thread that has nothing to do but wait for it.
private final class ExitCode: Sendable {
    private let code = Mutex<Int32?>(nil)
    private let descriptors: (read: Int32, write: Int32)

    init() {
        var pair: [Int32] = [0, 0]
        pipe(&pair)
        descriptors = (pair[0], pair[1])
    }

    func set(_ value: Int32) {
        code.withLock { $0 = value }
        close(descriptors.write)
    }

    func wait() -> Int32 {
        var byte: UInt8 = 0
        while read(descriptors.read, &byte, 1) < 0 && errno == EINTR {}
        return code.withLock { $0 } ?? EXIT_FAILURE
    }
}
