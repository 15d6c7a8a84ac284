internal import EventLoops
internal import FoundationEssentials
internal import Glibc

/// The process around a handler.
enum ActorProcess {
    /// Serves until SIGTERM or SIGINT and exits: 0 when all that had arrived was answered, else as `StartError` says.
    /// - Parameters:
    ///   - isEndActor: it takes whatever comes, in any state.
    ///   - load: makes the handler, before the actor says that it is ready.
    static func run(
        _ mode: HandlerMode, isEndActor: Bool = false, load: @Sendable () async throws -> Answerer.Call
    ) async -> Never {
        // A peer or a log reader that goes away is an error where it is written to, not the end.
        signal(SIGPIPE, SIG_IGN)
        do {
            var settings = try ActorSettings(environment: ProcessInfo.processInfo.environment, mode: mode)
            if isEndActor { settings.takeWhateverComes() }
            try await serve(settings, mode, load)
        } catch let error as StartError {
            error.endProcess()
        } catch {
            let details = ErrorDetails(error)
            let message = "the handler's init failed: \(details.type): \(details.message)"
            StartError(message, exitCode: StartError.handlerFailed).endProcess()
        }
        exit(0)
    }

    private static func serve(
        _ settings: ActorSettings, _ mode: HandlerMode, _ load: () async throws -> Answerer.Call
    ) async throws {
        let log = Log(level: settings.logLevel)
        let endpoint = Endpoint(settings: settings)
        try endpoint.clear()
        let call = try await load()
        let loop = EventLoop(name: "troupe-actor")
        let server = Server(
            on: loop, answerer: Answerer(settings: settings, mode: mode, log: log, call: call), log: log)
        let listener = try endpoint.bind()
        let stop = StopSignal(on: loop)
        try await stop.listen()
        await server.listen(on: listener)
        try endpoint.announce()
        log.info(
            "ready",
            [
                "socket": settings.socketPath, "mode": mode.rawValue, "validation": settings.validates ? "on" : "off",
                "concurrency": "\(settings.concurrency)",
            ])
        await stop.wait()
        endpoint.withdraw()
        await server.stop()
        log.info("stopped")
    }
}
