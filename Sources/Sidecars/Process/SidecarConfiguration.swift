internal import Envelopes
public import Faults
public import Logging
public import Settings
public import Telemetry
public import Transports

/// Everything a sidecar is told, read once at start. `docs/settings.md` lists it; a test holds the two together.
public struct SidecarConfiguration: Sendable {
    public enum ReportChannel: String, Sendable, CaseIterable { case broker, off }

    public var policy: DeliveryPolicy
    public var broker: RabbitMQSettings
    /// Unsettled deliveries at a time.
    public var prefetch: Int
    public var concurrency: Int
    public var socketPath: String
    /// Starts the runtime; `nil` where somebody else does.
    public var runtimeCommand: String?
    public var environment: [String: String]
    public var runtimeTimeout: Duration
    /// Whether a runtime that is not ours and hangs ends the sidecar, too.
    public var exitsOnTimeout: Bool
    public var shutdownGrace: Duration
    public var reports: ReportChannel
    /// Reports go there by HTTP instead of over the broker.
    public var gatewayURL: String?
    public var eventLimits: EventLimits
    /// Whether anybody can hear of events: an end actor has nothing to tell on the way, HTTP reports know none.
    public var takesEvents: Bool {
        reports == .broker && gatewayURL == nil && !policy.isEndActor && eventLimits.eventsPerCall > 0
    }
    /// What the gateway knows this sidecar by.
    public var gatewayKey: String?
    /// `nil` when probes and metrics are off.
    public var probeAddress: String?
    public var metricsNamespace: String
    public var customMetrics: [CustomMetric]
    /// `nil` where spans are not exported.
    public var traces: TraceSettings?
    public var logLevel: Logger.Level
    /// `nil` where none are to be injected.
    public var faults: FaultBounds?

    /// - Throws: `SettingsError` with every problem at once.
    public init(_ settings: Settings) throws(SettingsError) {
        var settings = settings
        let name = settings.required("ACTOR_NAME", "the name of the actor that this sidecar serves")
        if !name.isEmpty && !Self.isActorName(name) {
            settings.problem(
                "TROUPE_ACTOR_NAME",
                "'\(name)' is no actor name: 1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit, not ending in -dlq"
            )
        }
        broker = RabbitMQSettings(&settings, connectionName: "troupe-sidecar \(name)")
        let isEndActor = settings.flag("IS_END_ACTOR", default: false)
        let limits = JSONLimits(
            size: settings.integer("MAX_MESSAGE_BYTES", default: 64 << 20, in: 1024...(1 << 30)),
            nesting: settings.integer("MAX_NESTING", default: 512, in: 1...4096))
        policy = DeliveryPolicy(
            actorName: name, happyEnd: settings.text("ACTOR_HAPPY_END", default: "happy-end"),
            errorEnd: settings.text("ACTOR_ERROR_END", default: "error-end"), isEndActor: isEndActor,
            crashAttempts: settings.integer("CRASH_ATTEMPTS", default: 3, in: 1...100),
            endActorAttempts: settings.integer("END_ACTOR_ATTEMPTS", default: 5, in: 1...100),
            deliveryLimit: broker.deliveryLimit, retries: RetryPolicy(&settings),
            limits: isEndActor ? limits.ofErrorEnvelopes : limits)
        concurrency = settings.integer("CONCURRENCY", default: 1, in: 1...1024)
        prefetch = settings.integer("RABBITMQ_PREFETCH", default: 2 * concurrency, in: 1...65535)
        socketPath = Self.socketPath(&settings)
        runtimeCommand = settings.text("RUNTIME_COMMAND")
        environment = settings.environment
        exitsOnTimeout = settings.flag("EXIT_ON_TIMEOUT", default: true)
        runtimeTimeout = settings.duration(
            "RUNTIME_TIMEOUT", default: .seconds(300), in: .milliseconds(10) ... .seconds(86_400))
        shutdownGrace = settings.duration("SHUTDOWN_GRACE", default: .seconds(30), in: .zero ... .seconds(3600))
        reports = settings.choice("STATUS_REPORTS", default: .broker)
        gatewayURL = settings.text("GATEWAY_URL")
        policy.reports = reports != .off || gatewayURL != nil
        if let gatewayURL, !gatewayURL.hasPrefix("http://") && !gatewayURL.hasPrefix("https://") {
            settings.problem("TROUPE_GATEWAY_URL", "must begin with http:// or https://")
        }
        eventLimits = EventLimits(
            eventBytes: settings.integer("EVENT_MAX_BYTES", default: 64 << 10, in: 1024...(256 << 10)),
            eventsPerCall: settings.integer("EVENTS_PER_CALL", default: 10_000, in: 0...1_000_000))
        gatewayKey = settings.secret("GATEWAY_API_KEY", orFile: "GATEWAY_API_KEY_FILE")
        let metricsEnabled = settings.flag("METRICS_ENABLED", default: true)
        probeAddress = metricsEnabled ? settings.text("METRICS_ADDR", default: ":8080") : nil
        metricsNamespace = settings.text("METRICS_NAMESPACE", default: "troupe_actor")
        customMetrics = CustomMetric.list(&settings)
        traces = TraceSettings(&settings, service: name)
        logLevel = Self.logLevel(&settings)
        faults = FaultBounds.reading(&settings)
        if !settings.problems.isEmpty { throw SettingsError(problems: settings.problems) }
    }

    /// Whether queues and routes can have it.
    public static func isActorName(_ name: String) -> Bool {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return allowed && (1...100).contains(name.utf8.count) && !name.hasSuffix("-dlq")
            && name.first.map { "._-".contains($0) } == false
    }

    private static func socketPath(_ settings: inout Settings) -> String {
        let directory = settings.text("SOCKET_DIR", default: "/var/run/troupe")
        // Asya's images name the socket differently, and say so by setting the folder in their own way.
        let isAsya = settings.foreign("TROUPE_SOCKET_DIR") == nil && settings.foreign("ASYA_SOCKET_DIR") != nil
        let path =
            "\(directory)/\(settings.text("SOCKET_NAME", default: isAsya ? "asya-runtime.sock" : "runtime.sock"))"
        if path.utf8.count > 107 {
            settings.problem(
                "TROUPE_SOCKET_DIR", "'\(path)' is longer than the 107 bytes that a socket's path may have")
        }
        return path
    }

    private static func logLevel(_ settings: inout Settings) -> Logger.Level {
        guard let text = settings.text("LOG_LEVEL") else { return .info }
        let name = text.lowercased() == "warn" ? "warning" : text.lowercased()
        guard let level = Logger.Level(rawValue: name) else {
            settings.problem(
                "TROUPE_LOG_LEVEL",
                "'\(text)' is none of: \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
            return .info
        }
        return level
    }
}

/// Settings that cannot be worked with, all of them at once.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
    public let problems: [Settings.Problem]
    public init(problems: [Settings.Problem]) { self.problems = problems }

    public var description: String {
        "wrong settings:\n" + problems.map { "  \($0)" }.joined(separator: "\n")
    }
}

extension RetryPolicy {
    fileprivate init(_ settings: inout Settings) {
        let delays = Duration.zero...Duration.seconds(30 * 86_400)
        self.init(
            attempts: settings.integer("RETRY_ATTEMPTS", default: 1, in: 1...1000),
            initialDelay: settings.duration("RETRY_INITIAL_DELAY", default: .seconds(1), in: delays),
            factor: Double(settings.integer("RETRY_FACTOR", default: 2, in: 1...100)),
            ceiling: settings.duration("RETRY_MAX_DELAY", default: .seconds(300), in: delays),
            hasJitter: settings.flag("RETRY_JITTER", default: true))
        retried = Self.patterns(settings.text("RETRY_ON"), "TROUPE_RETRY_ON", &settings)
        final = Self.patterns(settings.text("RETRY_NOT_ON"), "TROUPE_RETRY_NOT_ON", &settings)
    }

    /// Separated by commas.
    private static func patterns(_ list: String?, _ name: String, _ settings: inout Settings) -> [String] {
        let patterns = (list ?? "").split(separator: ",").map { $0.trimmingSpaces }
        for pattern in patterns where !isPattern(pattern) {
            settings.problem(name, "'\(pattern)' is no error type or POSIX regular expression")
        }
        return patterns
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
