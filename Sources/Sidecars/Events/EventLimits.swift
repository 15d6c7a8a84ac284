/// How much a handler may tell during one call. What is more is left out, and said to be.
public struct EventLimits: Sendable, Hashable {
    /// Bytes of one event's data.
    public var eventBytes: Int
    public var eventsPerCall: Int
    /// Bytes of a call's data together.
    public var bytesPerCall: Int
    /// Bytes that wait for the broker at a time.
    public var waitingBytes: Int

    public init(
        eventBytes: Int = 64 << 10, eventsPerCall: Int = 10_000, bytesPerCall: Int = 16 << 20,
        waitingBytes: Int = 1 << 20
    ) {
        self.eventBytes = eventBytes
        self.eventsPerCall = eventsPerCall
        self.bytesPerCall = bytesPerCall
        self.waitingBytes = waitingBytes
    }
}
