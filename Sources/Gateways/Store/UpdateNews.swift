/// Tells which envelopes have moved, on whichever gateway that was written.
protocol UpdateNews: Sendable {
    /// Returns when the task is cancelled.
    func run(_ handle: @escaping @Sendable (UpdateNewsEvent) -> Void) async
}

enum UpdateNewsEvent: Sendable, Hashable {
    /// From now on nothing is missed. What happened before must be read from the store.
    case listening
    case moved(envelopeID: String)
    /// Nothing is heard until the next `listening`.
    case interrupted(reason: String)
}
