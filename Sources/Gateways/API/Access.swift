/// Who may call an endpoint.
enum Access: Sendable, Hashable {
    /// Everybody: it tells nothing that is worth hiding.
    case open
    /// Whoever is known; what exactly he may do is decided later.
    case known
    case scope(Scope)
}

/// What a caller may do.
enum Scope: String, Sendable, Hashable, CaseIterable {
    /// Submit envelopes and call tools.
    case submit
    /// See envelopes, their results, actors and queues.
    case read
    /// Cancel, retry, delete, pause; dead letters.
    case operate
    /// Report on envelopes and register children, as sidecars do.
    case `internal`
}
