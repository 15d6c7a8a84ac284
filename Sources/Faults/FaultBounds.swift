public import Settings

/// How bad it may get. Gateways refuse more, and sidecars do no more, whatever they are told.
public struct FaultBounds: Sendable, Hashable {
    /// Of one delay, and of all delays of one call together.
    public var latency = Duration.seconds(60)
    /// Processor time of one burn.
    public var cpu = Duration.seconds(60)
    /// Bytes that a sidecar holds for all faults together.
    public var memory = 512 << 20
    public var duration = Duration.seconds(3600)
    /// Faults at a time.
    public var active = 100

    public init() {}

    /// Reads `TROUPE_FAULTS_*`; mistakes go to `settings.problems`.
    /// - Returns: `nil` where no faults are to be injected.
    public static func reading(_ settings: inout Settings) -> FaultBounds? {
        let isEnabled = settings.flag("FAULTS_ENABLED", default: false)
        var bounds = FaultBounds()
        bounds.latency = settings.duration(
            "FAULTS_MAX_LATENCY", default: bounds.latency, in: .milliseconds(1) ... .seconds(3600))
        bounds.cpu = settings.duration("FAULTS_MAX_CPU", default: bounds.cpu, in: .milliseconds(1) ... .seconds(3600))
        bounds.memory = settings.integer("FAULTS_MAX_MEMORY", default: bounds.memory, in: 1...(64 << 30))
        bounds.duration = settings.duration(
            "FAULTS_MAX_DURATION", default: bounds.duration, in: .seconds(1) ... .seconds(30 * 86_400))
        bounds.active = settings.integer("FAULTS_MAX_ACTIVE", default: bounds.active, in: 1...1000)
        return isEnabled ? bounds : nil
    }
}
