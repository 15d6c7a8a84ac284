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
        _ mode: HandlerMode, isEndActor: Bool = false, load: @Sendable () async throws -> LoadedHandler
    ) async -> Never {
        // A peer or a log reader that goes away is an error where it is written to, not the end.
        signal(SIGPIPE, SIG_IGN)
        do {
            var settings = try ActorSettings(environment: ProcessInfo.processInfo.environment, mode: mode)
            if isEndActor { settings.takeWhateverComes() }
            try await serve(settings, load)
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
        _ settings: ActorSettings, _ load: () async throws -> LoadedHandler
    ) async throws {
        let log = Log(level: settings.logLevel)
        let loop = EventLoop(name: "troupe-actor")
        let stop = StopSignal(on: loop)
        let handler = try await ServedHandler(settings, on: loop, log: log) {
            let handler = try await load()
            try await stop.listen()
            return handler
        }
        log.info(
            "ready",
            [
                "socket": settings.socketPath, "mode": handler.mode.rawValue,
                "validation": settings.validates ? "on" : "off",
                "concurrency": "\(settings.concurrency)",
            ])
        await stop.wait()
        await handler.stop()
        log.info("stopped")
    }
}
