internal import CEpoll
internal import EventLoops
internal import Glibc
internal import Logging

/// The runtime's process, where it is the sidecar's own: started with it, started again when it ends or hangs, and ended
/// with it.
actor RuntimeProcess {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let command: String
    private let environment: [String: String]
    private let logger: Logger
    private var process: Int32?
    private var isStopping = false
    private var onEnd: (() -> Void)?

    /// - Parameters:
    ///   - command: for the shell.
    ///   - environment: the process gets it without the broker's credentials, which no handler needs.
    init(command: String, environment: [String: String], on loop: EventLoop, logger: Logger) {
        self.command = command
        self.environment = environment.filter { !$0.key.contains("RABBITMQ") }
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

    /// It hangs: ends it at once, and `run` starts it again.
    func replace() { signal(SIGKILL) }

    /// Asks it to end, and makes it end after `grace`.
    func stop(grace: Duration = .seconds(5)) async {
        isStopping = true
        guard process != nil else { return }
        signal(SIGTERM)
        let limit = loop.schedule(after: grace) { [weak self] in self?.assumeIsolated { $0.signal(SIGKILL) } }
        await withCheckedContinuation { continuation in
            if process == nil { return continuation.resume() }
            onEnd = { continuation.resume() }
        }
        loop.cancel(limit)
    }

    /// To all of its group: the shell, the runtime, what the handler has started.
    private func signal(_ signal: Int32) {
        if let process { kill(-process, signal) }
    }

    /// Starts it and returns how it has ended; `nil` when it could not be started.
    private func ending() async -> String? {
        await withCheckedContinuation { continuation in
            var descriptor: Int32 = -1
            let process = environment.withCStrings { troupe_spawn(command, $0, &descriptor) }
            guard process > 0, descriptor >= 0 else { return continuation.resume(returning: nil) }
            self.process = process
            logger.info("started the runtime", metadata: ["pid": "\(process)"])
            loop.watch(descriptor, for: .readable) { [weak self, loop] _ in
                var status: Int32 = 0
                guard waitpid(process, &status, WNOHANG) != 0 else { return }
                loop.unwatch(descriptor)
                close(descriptor)
                self?.assumeIsolated { $0.ended() }
                continuation.resume(returning: Self.words(status))
            }
        }
    }

    private func ended() {
        // What the handler has started must not outlive it.
        signal(SIGKILL)
        process = nil
        onEnd?()
        onEnd = nil
    }

    private static func words(_ status: Int32) -> String {
        let signal = status & 0x7F
        return signal == 0 ? "exit code \((status >> 8) & 0xFF)" : "signal \(signal)"
    }
}

extension [String: String] {
    fileprivate func withCStrings<Result>(
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let strings = map { strdup("\($0.key)=\($0.value)") } + [nil]
        let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count)
        list.initialize(from: strings, count: strings.count)
        defer {
            for string in strings { free(string) }
            list.deallocate()
        }
        return body(list)
    }
}
