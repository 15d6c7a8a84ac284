internal import ActorKit
internal import EmbeddedTransports
internal import Envelopes
internal import EventLoops
internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import SQLite
internal import Settings
internal import Sidecars
internal import Transports

/// Handlers, sidecars and a broker, for one test.
actor TestPipeline {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let folder: String
    private let file: SQLiteFile
    private let broker: EmbeddedBroker
    /// Ours: what closes envelopes, and hears of them.
    private let transport: EmbeddedTransport
    private let (news, teller) = AsyncStream<News>.makeStream()
    private var handlers: [ServedHandler] = []
    private var processes: [ChildProcess] = []
    private var sidecars: [ServingSidecar] = []
    private var listening: [Task<Void, Never>] = []
    private var isStopping = false

    private enum News: Sendable {
        case report(StatusReport)
        case ended(PipelineEnd)
        case handlerEnded(actor: String, ChildProcess.Ending?)
        case timeIsUp
    }

    private static let ends = ["happy-end", "error-end"]
    /// A report of ours, behind all that was reported before.
    private static let mark = "mark"

    static func start(
        _ actors: [String: TestActor], _ settings: [String: String]
    ) async throws(PipelineError) -> TestPipeline {
        let loop = EventLoop(name: "test-pipeline")
        let folder = try madeFolder()
        let pipeline: TestPipeline
        do throws(SQLiteError) {
            let file = try SQLiteFile(path: folder + "/queues.db")
            let broker = try await EmbeddedBroker.open(file, on: loop, logger: quiet("broker"))
            pipeline = TestPipeline(loop, folder, file, broker)
        } catch {
            throw PipelineError(.unavailable, error.message)
        }
        do throws(PipelineError) { try await pipeline.start(actors, settings) } catch {
            await pipeline.stop()
            throw error
        }
        return pipeline
    }

    private init(_ loop: EventLoop, _ folder: String, _ file: SQLiteFile, _ broker: EmbeddedBroker) {
        self.loop = loop
        self.folder = folder
        self.file = file
        self.broker = broker
        transport = EmbeddedTransport(broker)
    }

    private func start(_ actors: [String: TestActor], _ settings: [String: String]) async throws(PipelineError) {
        for source in Self.ends.map({ Source.actor($0) }) + [.statusReports] {
            await transport.declare(source)
            listen(to: source)
        }
        for name in actors.keys { await transport.declare(.actor(name)) }
        for (number, (name, actor)) in actors.enumerated() {
            let socketFolder = "\(folder)/\(number)"
            mkdir(socketFolder, 0o700)
            let own = [
                "TROUPE_ACTOR_NAME": name, "TROUPE_SOCKET_DIR": socketFolder, "TROUPE_SOCKET_NAME": "runtime.sock",
            ]
            let configuration: SidecarConfiguration
            do throws(SettingsError) {
                configuration = try SidecarConfiguration(Settings(environment: settings.merging(own) { $1 }))
            } catch { throw PipelineError(.wrongSettings, error.description) }
            try await start(actor, name, own)
            let sidecar = ServingSidecar(
                configuration, over: EmbeddedTransport(broker), on: loop, logger: Self.quiet(name), onRuntimeHang: {})
            sidecars.append(sidecar)
            await sidecar.start()
        }
    }

    private func start(_ actor: TestActor, _ name: String, _ settings: [String: String]) async throws(PipelineError) {
        switch actor.source {
        case .inProcess(let handler):
            do {
                handlers.append(
                    try await ServedHandler.start(handler, folder: settings["TROUPE_SOCKET_DIR"] ?? folder, on: loop))
            } catch { throw PipelineError(.unavailable, "'\(name)': \(error)") }
        case .command(let words, let environment):
            let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }.merging(settings) { $1 }
            // A shell's way to find programs.
            let command = ChildProcess.Command("/usr/bin/env", words, environment: all)
            let process = ChildProcess.start(command, on: loop) { [weak self] ending in
                self?.assumeIsolated { pipeline in
                    if !pipeline.isStopping { pipeline.teller.yield(.handlerEnded(actor: name, ending)) }
                }
            }
            if let process { processes.append(process) } else { teller.yield(.handlerEnded(actor: name, nil)) }
        }
    }

    private func listen(to source: Source) {
        listening.append(
            Task(executorPreference: loop) { [transport, teller] in
                for await delivery in await transport.deliveries(from: source, prefetch: 100) {
                    if let news = Self.news(in: delivery) { teller.yield(news) }
                    await transport.settle(delivery, .acknowledge)
                }
            })
    }

    private static func news(in delivery: Delivery) -> News? {
        switch delivery.source {
        case .actor(let name):
            guard let envelope = try? Envelope(parsing: delivery.body) else { return nil }
            return .ended(PipelineEnd(envelope, isSuccess: name == "happy-end"))
        case .statusReports: return (try? StatusReport(parsing: delivery.body)).map { .report($0) }
        default: return nil
        }
    }

    // MARK: The run

    func send(_ envelope: Envelope, timeout: Duration) async throws(PipelineError) -> PipelineEnd {
        await publish(
            Message(to: .actor(envelope.route.currentActor ?? ""), id: envelope.id, body: envelope.encoded()))
        loop.schedule(after: timeout) { [teller] in teller.yield(.timeIsUp) }
        var watch = PipelineWatch(rootID: envelope.id)
        for await one in news {
            switch one {
            case .report(let report) where report.eventID == Self.mark:
                // All that was reported before the last end is known now.
                if watch.isDone, let end = watch.end() { return end }
            case .report(let report): watch.take(report)
            case .ended(let end):
                watch.take(end)
                if watch.isDone { await publish(Message(markingReport)) }
            case .handlerEnded(let actor, let ending):
                throw PipelineError(
                    .handlerEnded,
                    "the handler of '\(actor)' "
                        + (ending.map { "has ended with \($0); what it wrote says why" } ?? "could not be started"))
            case .timeIsUp:
                throw PipelineError(.timeout, "not ended within \(timeout.inWords): \(watch.whereItIs)")
            }
        }
        throw PipelineError(.timeout, "stopped")
    }

    private var markingReport: StatusReport {
        StatusReport(
            kind: .progress, eventID: Self.mark, envelopeID: Self.mark, status: "", actors: [], currentActorIndex: 0)
    }

    private func publish(_ message: Message) async {
        // Its queue was declared; a file that can't be written ends in the time-out.
        try? await transport.publish(message, timeout: nil)
    }

    func stop() async {
        isStopping = true
        await withTaskGroup(of: Void.self) { group in
            for sidecar in sidecars { group.addTask { await sidecar.stop(grace: .zero) } }
        }
        for process in processes { process.signal(SIGKILL) }
        // One that hangs is not waited for.
        for handler in handlers { Task { await handler.stop() } }
        await transport.shutdown()
        for task in listening { await task.value }
        await broker.close()
        await file.close()
        try? FileManager.default.removeItem(atPath: folder)
        teller.finish()
    }

    // MARK: Surroundings

    /// Short: sockets' paths have 107 bytes at most.
    private static func madeFolder() throws(PipelineError) -> String {
        var template = Array("/tmp/troupe-test-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else {
            throw PipelineError(.unavailable, "no folder can be made in /tmp: \(String(cString: strerror(errno)))")
        }
        return String(cString: path)
    }

    private static func quiet(_ label: String) -> Logger {
        Logger(label: label) { _ in SwiftLogNoOpLogHandler() }
    }
}
