package import EventLoops

/// A handler at its socket, from the moment it is ready.
package struct ServedHandler: Sendable {
    let mode: HandlerMode
    private let endpoint: Endpoint
    private let server: Server

    /// - Parameter load: makes the handler, before the actor says that it is ready.
    init(_ settings: ActorSettings, on loop: EventLoop, log: Log, _ load: () async throws -> LoadedHandler) async throws
    {
        endpoint = Endpoint(settings: settings)
        try endpoint.clear()
        let handler = try await load()
        mode = handler.mode
        server = Server(
            on: loop, answerer: Answerer(settings: settings, mode: handler.mode, log: log, call: handler.call), log: log
        )
        await server.listen(on: try endpoint.bind())
        try endpoint.announce()
    }

    /// Serves in this process, for tests: with the settings' defaults.
    /// - Parameter folder: for its socket.
    package static func start(_ handler: LoadedHandler, folder: String, on loop: EventLoop) async throws
        -> ServedHandler
    {
        let settings = try ActorSettings(environment: ["TROUPE_SOCKET_DIR": folder], mode: handler.mode)
        return try await ServedHandler(settings, on: loop, log: Log(level: .warning)) { handler }
    }

    /// Answers what has arrived, and nothing else.
    package func stop() async {
        endpoint.withdraw()
        await server.stop()
    }
}
