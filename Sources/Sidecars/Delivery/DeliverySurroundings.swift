internal import Envelopes

/// What a delivery's machine does not decide by itself: chance and time. Tests give their own.
public struct DeliverySurroundings: Sendable {
    /// The id of an error envelope for a message that has none.
    public var makeID: @Sendable () -> String
    /// ISO 8601, so far from now.
    public var timestamp: @Sendable (Duration) -> String
    /// 0..<1.
    public var random: @Sendable () -> Double

    public init(
        makeID: @escaping @Sendable () -> String, timestamp: @escaping @Sendable (Duration) -> String,
        random: @escaping @Sendable () -> Double
    ) {
        self.makeID = makeID
        self.timestamp = timestamp
        self.random = random
    }

    public static let real = DeliverySurroundings(
        makeID: { TraceParent.random().traceID }, timestamp: { Timestamp.now(plus: $0) },
        random: { Double.random(in: 0..<1) })
}
