internal import EventLoops
internal import Logging
internal import Projects
internal import Settings
internal import Sidecars

/// What all actors of a pipeline share.
struct Workshop: Sendable {
    let loop: EventLoop
    let backend: Backend
    let handlers: HandlerCommand
    let sockets: SocketFolder
    let processGuard: ProcessGuard
    /// For sidecars: what is said of the broker, and of limits.
    let settings: [String: String]
    let logLevel: Logger.Level
    let sink: LogSink

    /// - Throws: never for what `Project` has read; the broker's settings are checked with the backend.
    func configuration(of actor: ProjectActor, isEnd: Bool, socketFolder: String) throws(SettingsError)
        -> SidecarConfiguration
    {
        let own = [
            "TROUPE_ACTOR_NAME": actor.name, "TROUPE_SOCKET_DIR": socketFolder, "TROUPE_SOCKET_NAME": "runtime.sock",
            "TROUPE_IS_END_ACTOR": "\(isEnd)", "TROUPE_EXIT_ON_TIMEOUT": "false",
        ]
        return try SidecarConfiguration(
            Settings(environment: settings.merging(actor.settings) { $1 }.merging(own) { $1 }))
    }

    func logger(_ source: String) -> Logger { SinkLogHandler.logger(source, logLevel, to: sink) }

    /// What a sidecar may take from the environment of the command; all else comes from the project.
    static func settings(from process: [String: String]) -> [String: String] {
        process.filter { name, _ in
            ["RABBITMQ_", "QUEUE_", "DELIVERY_LIMIT", "MAX_", "FAULTS_"].contains {
                name.hasPrefix("TROUPE_\($0)") || name.hasPrefix("ASYA_\($0)")
            } || name.hasPrefix("OTEL_")
        }
    }
}
