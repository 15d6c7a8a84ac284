internal import Faults
public import Settings
internal import Telemetry

/// The gateway's settings, read once at start. The broker's (`TROUPE_RABBITMQ_*`) belong to the transport, the database's
/// (`TROUPE_DATABASE_*`) to `GatewayDatabase`.
public struct Configuration: Sendable {
    public var host = "127.0.0.1"
    public var port = 8080
    /// A YAML file of tools, or a folder of such files.
    public var configPath: String?
    /// Instead of `configPath`, where somebody else has read the tools; asked again every `configReload`.
    public var tools: (@Sendable () -> ToolCatalogue)?
    public var configReload = Duration.seconds(5)
    /// Bytes.
    public var maxBody = 16 << 20
    /// Levels of objects and arrays.
    public var maxNesting = 512
    public var idleTimeout = Duration.seconds(75)
    public var keepAlive = Duration.seconds(15)
    public var streamPoll = Duration.seconds(5)
    public var publishTimeout = Duration.seconds(10)
    public var outboxGrace = Duration.seconds(15)
    public var outboxInterval = Duration.seconds(1)
    /// Messages.
    public var outboxLimit = 100_000
    /// What is in the outbox for longer starts later. As long as the longest wait between tries, or for a gateway that has died.
    var outboxHorizon: Duration { max(.seconds(60), outboxGrace) }
    public var deadlineGrace = Duration.seconds(5)
    /// How long envelopes that have ended are kept; `nil`: for ever.
    public var retention: Duration?
    public var reportPrefetch = 500
    /// Partial results of one envelope.
    public var partialLimit = 20_000
    public var drainTimeout = Duration.seconds(20)
    var mcp = MCPSettings()
    var auth = AuthSettings()
    var server = ServerSettings()
    /// `nil` where no faults are to be injected.
    var faults: FaultBounds?
    /// `nil` where spans are not exported.
    var traces: TraceSettings?
    /// As spans name it.
    var broker = MessageSpans.Broker()

    public init() {}

    /// Reads `TROUPE_*`, `ASYA_*` where that isn't set; mistakes go to `settings.problems`.
    public init(_ settings: inout Settings) {
        host = settings.text("GATEWAY_HOST", default: host)
        port = settings.integer("GATEWAY_PORT", default: port, in: 0...65535)
        configPath = settings.text("CONFIG_PATH")
        configReload = settings.duration(
            "CONFIG_RELOAD", default: configReload, in: .milliseconds(100)...(.seconds(3600)))
        maxBody = settings.integer("GATEWAY_MAX_BODY", default: maxBody, in: 1024...(1 << 30))
        maxNesting = settings.integer("GATEWAY_MAX_NESTING", default: maxNesting, in: 1...4096)
        idleTimeout = settings.duration(
            "GATEWAY_IDLE_TIMEOUT", default: idleTimeout, in: .seconds(1)...(.seconds(3600)))
        keepAlive = settings.duration(
            "GATEWAY_KEEPALIVE", default: keepAlive, in: .milliseconds(100)...(.seconds(3600)))
        streamPoll = settings.duration(
            "GATEWAY_STREAM_POLL", default: streamPoll, in: .milliseconds(100)...(.seconds(3600)))
        publishTimeout = settings.duration(
            "GATEWAY_PUBLISH_TIMEOUT", default: publishTimeout, in: .milliseconds(100)...(.seconds(300)))
        outboxGrace = settings.duration(
            "GATEWAY_OUTBOX_GRACE", default: outboxGrace, in: .milliseconds(100)...(.seconds(3600)))
        outboxInterval = settings.duration(
            "GATEWAY_OUTBOX_INTERVAL", default: outboxInterval, in: .milliseconds(10)...(.seconds(300)))
        outboxLimit = settings.integer("GATEWAY_OUTBOX_LIMIT", default: outboxLimit, in: 1...100_000_000)
        deadlineGrace = settings.duration(
            "GATEWAY_DEADLINE_GRACE", default: deadlineGrace, in: .zero ... .seconds(3600))
        let retention = settings.duration("GATEWAY_RETENTION", default: .zero, in: .zero ... .seconds(3650 * 86_400))
        self.retention = retention > .zero ? retention : nil
        reportPrefetch = settings.integer("GATEWAY_REPORT_PREFETCH", default: reportPrefetch, in: 1...2000)
        partialLimit = settings.integer("GATEWAY_PARTIAL_LIMIT", default: partialLimit, in: 0...1_000_000)
        drainTimeout = settings.duration(
            "GATEWAY_DRAIN_TIMEOUT", default: drainTimeout, in: .milliseconds(100)...(.seconds(3600)))
        mcp = MCPSettings(&settings, toolsAge: configReload)
        auth = AuthSettings(&settings, host: host)
        server = ServerSettings(&settings)
        traces = TraceSettings(&settings, service: "troupe-gateway")
        mcp.retention = self.retention
        faults = FaultBounds.reading(&settings)
        if publishTimeout >= outboxGrace {
            settings.problem(
                "TROUPE_GATEWAY_PUBLISH_TIMEOUT",
                "must be shorter than TROUPE_GATEWAY_OUTBOX_GRACE, or messages are sent twice")
        }
    }
}
