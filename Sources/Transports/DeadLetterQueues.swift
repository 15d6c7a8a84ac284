/// Looks into the dead letters of actors, for people who decide what becomes of them.
public protocol DeadLetterQueues: Sendable {
    /// Opens an actor's dead letters as they are now. What has been read is nobody else's until the reader is closed.
    /// - Returns: `nil` where the actor has no such queue.
    /// - Throws: `.connectionLost` where the broker is away or refuses.
    func openDeadLetters(of actor: String) async throws(TransportError) -> (any DeadLetterReader)?
}

public protocol DeadLetterReader: Sendable {
    /// How many there are to read.
    var count: Int { get }

    /// The next ones, in no order that can be relied on, at most `limit` and about 16 MiB of them; none at the end.
    func next(limit: Int) async throws(TransportError) -> [DeadLetterMessage]

    /// Takes one out of the queue for good.
    func remove(_ message: DeadLetterMessage) async throws(TransportError)

    /// Puts back what was read and not removed.
    func close() async
}

/// A dead letter as it lies in the queue.
public struct DeadLetterMessage: Sendable {
    public let tag: UInt64
    /// The broker's `message_id`: the envelope's id, where it could be read.
    public let id: String
    public let body: [UInt8]
    public let deadLetter: DeadLetter

    public init(tag: UInt64, id: String, body: [UInt8], deadLetter: DeadLetter) {
        self.tag = tag
        self.id = id
        self.body = body
        self.deadLetter = deadLetter
    }
}
