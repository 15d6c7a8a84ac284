internal import EventLoops
internal import Glibc
internal import Logging

/// The runtime's process, where it is the sidecar's own: started with it, started again when it ends or hangs, and ended
/// with it.
actor RuntimeProcess {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let command: ChildProcess.Command
    private let logger: Logger
    private var process: ChildProcess?
    private var isStopping = false
    private var onEnd: (() -> Void)?

    /// - Parameters:
    ///   - command: for the shell.
    ///   - environment: the process gets it without the broker's credentials, which no handler needs.
    init(command: String, environment: [String: String], on loop: EventLoop, logger: Logger) {
        self.command = ChildProcess.Command(
            "/bin/sh", ["-c", command],
            environment: environment.filter { !$0.key.split(separator: "_").contains("RABBITMQ") })
        self.loop = loop
        self.logger = logger
    }

    /// Keeps it running until `stop()`.
    func run() async {
        var backoff = Backoff(initial: .milliseconds(100), ceiling: .seconds(30))
        while !isStopping && !Task.isCancelled {
            let start = MonotonicTime.now
            guard let ending = await ending() else {
                logger.error("no process could be started and watched for the runtime: too many, or Linux before 5.3?")
                await loop.sleep(for: backoff.next())
                continue
            }
            if isStopping { return }
            if start.duration(to: .now) > .seconds(10) { backoff.reset() }
            let wait = backoff.next()
            logger.error(
                "the runtime has ended: starting it again", metadata: ["how": "\(ending)", "in": "\(wait.inWords)"])
            await loop.sleep(for: wait)
        }
    }

    /// It hangs, or is to crash: ends it at once, and `run` starts it again.
    func replace() { process?.signal(SIGKILL) }

    /// Asks it to end, and makes it end after `grace`.
    func stop(grace: Duration = .seconds(5)) async {
        isStopping = true
        guard let process else { return }
        process.signal(SIGTERM)
        let limit = loop.schedule(after: grace) { process.signal(SIGKILL) }
        await withCheckedContinuation { continuation in
            if self.process == nil { return continuation.resume() }
            onEnd = { continuation.resume() }
        }
        loop.cancel(limit)
    }

    /// Starts it and returns how it has ended; `nil` when it could not be started.
    private func ending() async -> ChildProcess.Ending? {
        await withCheckedContinuation { continuation in
            process = ChildProcess.start(command, on: loop) { [weak self] ending in
                self?.assumeIsolated { $0.ended() }
                continuation.resume(returning: ending)
            }
            guard let process else { return continuation.resume(returning: nil) }
            logger.info("started the runtime", metadata: ["pid": "\(process.pid)"])
        }
    }

    private func ended() {
        process = nil
        onEnd?()
        onEnd = nil
    }
}
