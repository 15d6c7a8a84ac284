/// What a `NOTIFY` brought.
public struct Notification: Sendable, Hashable {
    public let channel: String
    /// At most 7999 bytes.
    public let payload: String

    public init(channel: String, payload: String) {
        self.channel = channel
        self.payload = payload
    }
}
