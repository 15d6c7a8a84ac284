internal import EventLoops

/// What an event stream tells, a round at a time.
protocol EventSource: Sendable {
    /// Whose updates are its news.
    var following: UpdateHub.Following { get }

    /// Whether there is something to do though nobody has told of news.
    func isDue(now: MonotonicTime) -> Bool

    /// Tells all that there is to tell by now.
    /// - Returns: whether there will be more.
    mutating func tell(_ occasion: EventOccasion, to stream: OpenStream) async throws -> Bool
}

/// Why a stream tells something.
enum EventOccasion: Sendable, Hashable {
    case opened
    /// Updates are known to have been written.
    case news
    /// It is due, though nothing is known.
    case time
}
