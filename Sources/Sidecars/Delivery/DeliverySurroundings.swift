public import Envelopes

/// What a delivery's machine does not decide by itself: chance and time. Tests give their own.
public struct DeliverySurroundings: Sendable {
    /// The id of an error envelope for a message that has none.
    public var makeID: @Sendable () -> String
    /// ISO 8601, so far from now.
    public var timestamp: @Sendable (Duration) -> String
    /// Microseconds since 1970.
    public var wallClock: @Sendable () -> Int64
    /// 0..<1.
    public var random: @Sendable () -> Double
    /// The context of a new span; `nil` below one that is not sampled. Without it nothing is traced, and `traceparent`
    /// travels on as it is.
    public var span: (@Sendable (_ parent: TraceParent?) -> TraceParent?)?

    public init(
        makeID: @escaping @Sendable () -> String, timestamp: @escaping @Sendable (Duration) -> String,
        wallClock: @escaping @Sendable () -> Int64 = Timestamp.microsecondsNow,
        random: @escaping @Sendable () -> Double, span: (@Sendable (TraceParent?) -> TraceParent?)? = nil
    ) {
        self.makeID = makeID
        self.timestamp = timestamp
        self.wallClock = wallClock
        self.random = random
        self.span = span
    }

    public static let real = DeliverySurroundings(
        makeID: { TraceParent.random().traceID }, timestamp: { Timestamp.now(plus: $0) },
        random: { Double.random(in: 0..<1) })
}
