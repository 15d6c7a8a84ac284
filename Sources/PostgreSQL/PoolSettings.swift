public struct PoolSettings: Sendable {
    public var connection: ConnectionSettings
    /// Connections at most, 1 or more.
    public var size: Int
    /// How long a call waits for a connection.
    public var waitLimit: Duration
    /// Calls that may wait at the same time; more fail at once.
    public var waiterLimit: Int
    /// Hears how long each call has waited for its connection.
    public var onLend: (@Sendable (Duration) -> Void)?
    /// Hears how long each call has had its connection.
    public var onReturn: (@Sendable (Duration) -> Void)?

    public init(
        connection: ConnectionSettings, size: Int = 10, waitLimit: Duration = .seconds(5), waiterLimit: Int = 1000
    ) {
        self.connection = connection
        self.size = max(1, size)
        self.waitLimit = waitLimit
        self.waiterLimit = waiterLimit
    }
}
