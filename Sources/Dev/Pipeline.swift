internal import EventLoops
internal import FoundationEssentials
internal import Gateways
internal import Glibc
public import Logging
public import Projects
internal import SQLite
internal import ServiceLifecycle
public import Settings
internal import Synchronization
internal import Transports

/// A project, running: gateway, sidecars and end actors in this process, handlers beside it.
public final class Pipeline: Sendable {
    public struct Options: Sendable {
        /// `amqp://...`; `nil`: a file of the project.
        public var broker: String?
        /// `postgres://...`
        public var database: String?
        public var host = "127.0.0.1"
        /// 0: any.
        public var port = 8080
        /// Where envelopes and results are kept; `nil`: in `.troupe` of the project's folder. Relative to the current folder.
        public var state: String?
        public var logLevel = Logger.Level.notice
        /// Whether things may go wrong on purpose, also where the project doesn't say so.
        public var hasFaults = false

        public init() {}
    }

    /// What somebody who uses it must know.
    public struct Ready: Sendable {
        var host: String
        var port: Int
        public var backend: String
        /// A folder.
        public var results: String

        /// Of the gateway, from this machine.
        public var url: String {
            let name = host == "0.0.0.0" ? "127.0.0.1" : host.contains(":") ? "[\(host)]" : host
            return "http://\(name):\(port)"
        }
    }

    private let options: Options
    /// Of the process: of the gateway, the broker and the database, as everywhere.
    private let environment: [String: String]
    private let sink: LogSink
    private let loop = EventLoop(name: "dev")
    private let project: Mutex<Project>
    private let state: String
    private let (stops, stop) = AsyncStream<Void>.makeStream()
    private let isReady = Atomic(false)
    /// Of the gateway, once its port is known.
    private let url = Mutex<String?>(nil)
    private let (starts, start) = AsyncStream<Void>.makeStream()

    /// What runs has so long to finish when the pipeline ends; the rest is done after the next start.
    private static let stopGrace = Duration.seconds(3)

    /// - Parameters:
    ///   - settings: of the process.
    ///   - sink: gets every line that there is to show.
    public init(_ project: Project, _ options: Options, settings: Settings, sink: @escaping LogSink) {
        self.project = Mutex(project)
        self.options = options
        var environment = settings.environment
        // What the options say, by the names of settings.
        if let broker = options.broker { environment["TROUPE_RABBITMQ_URL"] = broker }
        if let database = options.database { environment["TROUPE_DATABASE_URL"] = database }
        if options.hasFaults || project.hasFaults { environment["TROUPE_FAULTS_ENABLED"] = "true" }
        self.environment = environment
        self.sink = sink
        state = options.state ?? project.folder + "/.troupe"
    }

    /// Runs until `end`.
    /// - Parameter onReady: the gateway answers.
    /// - Throws: `DevError`.
    public func run(onReady: @escaping @Sendable (Ready) -> Void) async throws(DevError) {
        let processGuard = ProcessGuard()
        try checkPort()
        if options.port != 0 {
            url.withLock { $0 = Ready(host: options.host, port: options.port, backend: "", results: "").url }
        }
        try makeState()
        let lock = try takeLock()
        defer { lock.release() }
        let project = project.withLock(\.self)
        let pythons = try PythonInstallation.all(for: project, Settings(environment: environment))
        let sockets = try SocketFolder(state: state)
        defer { sockets.remove() }
        let logger = SinkLogHandler.logger("dev", options.logLevel, to: sink)
        let backend = try await backend(logger)
        let workshop = Workshop(
            loop: loop, backend: backend,
            handlers: HandlerCommand(
                home: project.home, pythons: pythons,
                environment: HandlerCommand.environment(from: environment),
                gatewayURL: { [self] in self.url.withLock(\.self) }),
            sockets: sockets, processGuard: processGuard, settings: Workshop.settings(from: environment),
            logLevel: options.logLevel, sink: sink)
        let stage = Stage(workshop, results: state + "/results")
        let result: Result<Void, DevError>
        do throws(DevError) {
            try await serve(project, stage, backend, onReady)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await stage.stop(grace: Self.stopGrace)
        await backend.close()
        loop.stop()
        try result.get()
    }

    /// Lets what runs finish for a moment, then ends.
    public func end() { stop.finish() }

    private var shownState: String { options.state ?? ".troupe" }

    // MARK: Before

    private func checkPort() throws(DevError) {
        guard options.port != 0, !PortHolder.isFree(options.port, on: options.host) else { return }
        let holder = PortHolder.name(of: options.port).map { " by \($0)" } ?? ""
        throw DevError(
            .portTaken, "port \(options.port) is taken\(holder): choose another with --port, or any with --port 0")
    }

    /// With a note that keeps it out of repositories.
    private func makeState() throws(DevError) {
        if mkdir(state, 0o755) != 0 && errno != EEXIST || access(state, W_OK | X_OK) != 0 {
            throw DevError(
                .notPermitted,
                "cannot write to '\(state)', where envelopes and results are kept: \(String(cString: strerror(errno)))")
        }
        let note = state + "/.gitignore"
        if access(note, F_OK) != 0 { _ = FileManager.default.createFile(atPath: note, contents: Data("*\n".utf8)) }
    }

    private func takeLock() throws(DevError) -> FileLock {
        do throws(SQLiteError) { return try FileLock(besides: state + "/dev") } catch {
            if error.code != .inUse { throw DevError(.notPermitted, error.message) }
            throw DevError(.inUse, "this pipeline runs already: \(error.message)")
        }
    }

    private func backend(_ logger: Logger) async throws(DevError) -> Backend {
        let settings = Settings(environment: environment)
        if options.broker != nil { return try .servers(settings, on: loop, logger: logger) }
        return try await .embedded(
            state + "/troupe.db", shownAs: shownState + "/troupe.db", settings, on: loop, logger: logger)
    }

    // MARK: Running

    private func serve(
        _ project: Project, _ stage: Stage, _ backend: Backend, _ onReady: @escaping @Sendable (Ready) -> Void
    ) async throws(DevError) {
        let configuration = try configuration()
        let transport = await backend.transport("gateway")
        let gateway = Gateway(
            configuration: configuration, database: backend.database, transport: transport,
            deadLetters: backend.deadLetters, queues: backend.queues,
            logger: SinkLogHandler.logger("gateway", options.logLevel, to: sink)
        ) { ports in
            self.isReady.store(true, ordering: .relaxed)
            let ready = Ready(
                host: self.options.host, port: ports.main, backend: backend.name,
                results: self.shownState + "/results")
            self.url.withLock { $0 = ready.url }
            self.start.finish()
            onReady(ready)
        }
        var quiet = Logger(label: "services") { _ in SwiftLogNoOpLogHandler() }
        quiet.logLevel = .critical
        let group = ServiceGroup(
            configuration: .init(services: [gateway], gracefulShutdownSignals: [], logger: quiet))
        let acting = Task(executorPreference: loop) {
            // Others may send to it before the first replica is there.
            for actor in project.actors { await transport.declare(.actor(actor.name)) }
            // Handlers are told the gateway's URL.
            if self.options.port == 0 { for await _ in self.starts {} }
            if Task.isCancelled { return }
            await stage.set(project.actors)
            await self.watch(project, stage, transport)
        }
        let running = Task { try await group.run() }
        let stopping = Task {
            for await _ in self.stops {}
            if Task.isCancelled { return }
            await group.triggerGracefulShutdown()
            // It may be waiting for a database that is away.
            if !self.isReady.load(ordering: .relaxed) { running.cancel() }
        }
        let outcome = await running.result
        let wasStopped = running.isCancelled
        stopping.cancel()
        acting.cancel()
        // It may be waiting for a broker that is away.
        await transport.shutdown()
        await acting.value
        switch outcome {
        case .success: return
        case .failure where wasStopped: return
        case .failure(let error as GatewayStartError):
            throw DevError(error.code == .configuration ? .configuration : .unavailable, error.message)
        case .failure(let error): throw DevError(.unavailable, "\(error)")
        }
    }

    private func configuration() throws(DevError) -> Configuration {
        var environment = environment
        environment["TROUPE_GATEWAY_HOST"] = options.host
        environment["TROUPE_GATEWAY_PORT"] = "\(options.port)"
        environment["TROUPE_GATEWAY_DRAIN_TIMEOUT"] = "3s"
        if options.broker == nil {
            // There is no other gateway: what a killed one has accepted need not wait for it.
            environment["TROUPE_GATEWAY_PUBLISH_TIMEOUT"] = "1s"
            environment["TROUPE_GATEWAY_OUTBOX_GRACE"] = "2s"
        }
        environment["TROUPE_CONFIG_PATH"] = nil
        environment["TROUPE_CONFIG_RELOAD"] = "500ms"
        var settings = Settings(environment: environment)
        var configuration = Configuration(&settings)
        guard settings.problems.isEmpty else {
            throw DevError(.configuration, settings.problems.map(\.description).joined(separator: "\n"))
        }
        configuration.tools = { [self] in self.project.withLock(\.tools) }
        return configuration
    }

    // MARK: Changes

    /// Until the task is cancelled.
    private func watch(_ project: Project, _ stage: Stage, _ transport: any Transport) async {
        var project = project
        while !Task.isCancelled {
            let plan = WatchPlan(project)
            let files = Set(project.homes.map(\.path))
            for await paths in changes(plan, of: project) {
                if !files.isDisjoint(with: paths), let next = reread(project) {
                    // Others may send to it before the first replica is there.
                    for actor in next.actors { await transport.declare(.actor(actor.name)) }
                    await stage.set(next.actors)
                    await stage.changed(WatchPlan(next).actors(concernedBy: paths))
                    project = next
                    // Other folders may matter now.
                    break
                }
                await stage.changed(plan.actors(concernedBy: paths))
            }
        }
    }

    private func changes(_ plan: WatchPlan, of project: Project) -> AsyncStream<Set<String>> {
        AsyncStream { continuation in
            let watch = FolderWatch(on: loop) { continuation.yield($0) }
            guard let watch else {
                say(.warning, "changes of files cannot be watched: no inotify left. Restart after each change.")
                return
            }
            let own = Dictionary(project.homes.map { ($0.folder, false) }) { first, _ in first }
            for (folder, isDeep) in plan.folders.merging(own, uniquingKeysWith: { $0 || $1 })
            where !watch.add(folder, isDeep: isDeep) {
                say(.warning, "not all of \(folder) can be watched: too many folders, or fs.inotify.max_user_watches")
            }
            // What was saved after it was read, and before it was watched.
            continuation.yield(Set(project.homes.map(\.path)))
            let box = UncheckedWatch(watch: watch)
            continuation.onTermination = { [loop] _ in
                Task(executorPreference: loop) { box.watch.close() }
            }
        }
    }

    /// The loop's thread alone uses it.
    private struct UncheckedWatch: @unchecked Sendable { let watch: FolderWatch }

    /// What the file says now; `nil` where that is wrong, or as before.
    private func reread(_ old: Project) -> Project? {
        do throws(FileErrors) {
            let new = try Project.read(old.file)
            guard new != old else { return nil }
            if new.included != old.included {
                say(.warning, "'include' of \(new.file) has changed: restart `troupe dev` to apply that")
                return nil
            }
            project.withLock { $0 = new }
            if new.python != old.python || new.port != old.port || new.hasFaults != old.hasFaults {
                say(
                    .warning,
                    "'python', 'gateway' or 'faults' of \(new.file) has changed: restart `troupe dev` to apply that")
            }
            say(.notice, "\(new.file) has changed: applied")
            return new
        } catch {
            say(.error, "\(old.file) has mistakes; everything stays as it was:")
            for problem in error.problems { say(.error, "\(problem)") }
            return nil
        }
    }

    private func say(_ level: Logger.Level, _ text: String) { sink(LogLine("dev", .log, level: level, text)) }
}

extension Home {
    /// Of the file.
    fileprivate var path: String {
        folder + "/" + (file.split(separator: "/").last.map(String.init) ?? Project.fileName)
    }
}
