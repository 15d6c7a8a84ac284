internal import EventLoops
internal import Glibc
internal import Logging
internal import Sidecars

/// A handler's process beside its sidecar: carries out what `HandlerMachine` decides, and passes on what it writes.
actor HandlerProcess {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let name: String
    private let command: ChildProcess.Command
    private let runtime: Runtime
    private let processGuard: ProcessGuard
    private let sink: LogSink
    private var machine = HandlerMachine()
    private var process: ChildProcess?
    private var lines: [ChildProcess.Stream: OutputLines] = [:]
    private var crashes = CrashOutput()
    private var onFinish: [CheckedContinuation<Void, Never>] = []

    /// For how long what a restarted process writes may be what it wrote before.
    private static let trial = Duration.seconds(1)

    /// - Parameters:
    ///   - name: as its lines are marked.
    ///   - runtime: who calls it, on the same loop.
    init(
        _ name: String, _ command: ChildProcess.Command, _ runtime: Runtime, under processGuard: ProcessGuard,
        on loop: EventLoop, sink: @escaping LogSink
    ) {
        self.name = name
        self.command = command
        self.runtime = runtime
        self.processGuard = processGuard
        self.loop = loop
        self.sink = sink
    }

    func begin() { carryOut(machine.begin(now: .now)) }

    /// Its files have changed.
    func changed() { carryOut(machine.changed(now: .now)) }

    func hung() { carryOut(machine.hung()) }

    /// Its end is to look like one of its own making.
    func crash() { process?.signal(SIGKILL) }

    /// Returns when nothing is left of it.
    func stop(grace: Duration) async {
        await withCheckedContinuation { continuation in
            onFinish.append(continuation)
            carryOut(machine.stop(grace: grace))
        }
    }

    private func carryOut(_ actions: [HandlerMachine.Action]) {
        for action in actions {
            switch action {
            case .start: start()
            case .end(let grace): end(within: grace)
            case .beginReplacement: runtime.assumeIsolated { $0.beginReplacement() }
            case .endReplacement: runtime.assumeIsolated { $0.endReplacement() }
            case .wait(let pause, let number):
                loop.schedule(after: pause) { [weak self] in
                    self?.assumeIsolated { $0.carryOut($0.machine.waited(number, now: .now)) }
                }
            case .tell(let notice): tell(notice)
            case .finished:
                for continuation in onFinish { continuation.resume() }
                onFinish = []
            }
        }
    }

    private func start() {
        crashes.begin()
        lines = [:]
        let process = ChildProcess.start(command, on: loop) { [weak self] stream, bytes in
            self?.assumeIsolated { $0.wrote(stream, bytes) }
        } onEnd: { ending in
            self.assumeIsolated { $0.ended(ending) }
        }
        guard let process else { return carryOut(machine.notStarted()) }
        self.process = process
        processGuard.began(process.pid)
        let pid = process.pid
        loop.schedule(after: Self.trial) { [weak self] in
            self?.assumeIsolated { handler in
                if handler.process?.pid == pid { handler.show(handler.crashes.lived()) }
            }
        }
    }

    private func end(within grace: Duration) {
        guard let process else { return }
        let pid = process.pid
        process.signal(grace > .zero ? SIGTERM : SIGKILL)
        loop.schedule(after: grace) { [weak self] in
            self?.assumeIsolated { handler in
                if handler.process?.pid == pid { handler.process?.signal(SIGKILL) }
            }
        }
    }

    private func ended(_ ending: ChildProcess.Ending) {
        if let process { processGuard.ended(process.pid) }
        process = nil
        for stream in [ChildProcess.Stream.output, .error] {
            if let rest = lines[stream]?.rest() { take(rest, stream) }
        }
        let isCrash = if case .running = machine.state { true } else { false }
        show(crashes.ended(crashed: isCrash))
        carryOut(machine.ended(ending, now: .now))
    }

    // MARK: What it writes

    private func wrote(_ stream: ChildProcess.Stream, _ bytes: ArraySlice<UInt8>) {
        for line in lines[stream, default: OutputLines()].append(bytes) { take(line, stream) }
    }

    private func take(_ text: String, _ stream: ChildProcess.Stream) {
        if let line = LogLine(name, wrote: text, to: stream) { show(crashes.wrote(line)) }
    }

    private func show(_ lines: [LogLine]) { for line in lines { sink(line) } }

    private func tell(_ notice: HandlerMachine.Notice) {
        switch notice {
        case .ended(let ending, let pause):
            say(.error, "the handler has ended (\(ending)); starting it again in \(pause.inWords)")
        case .broken: say(.error, "the handler cannot start; save a change to try again")
        case .restarting: say(.notice, "changed: restarting the handler")
        case .noProcess:
            say(.error, "no process could be started: too many of them, no file descriptors left, or Linux before 5.3")
        }
    }

    private func say(_ level: LogLine.Level, _ text: String) { sink(LogLine(name, .log, level: level, text)) }
}
