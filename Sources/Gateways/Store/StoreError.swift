/// What went wrong between the gateway and its store.
///
/// `description` is safe to log: no SQL and no values.
struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    enum Code: String, Sendable {
        /// The database is away, too busy, or has no room left.
        case unavailable
        /// Others got in the way: nothing has changed.
        case conflict
        /// What was to be stored is what the database will never take.
        case refusedValues = "refused_values"
        /// There is such a row already.
        case alreadyThere = "already_there"
        /// The store was closed by us.
        case closed
        /// The task was cancelled.
        case cancelled
        /// Anything else: the schema is not what it should be, or a mistake of ours.
        case unexpected
    }

    let code: Code
    /// The database's own words, without values.
    let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether the same call may succeed later.
    var isRetryable: Bool { code == .unavailable || code == .conflict }
    var isUnavailable: Bool { code == .unavailable }
    /// Whether it is about what was to be stored rather than about the database's state, which may change: the same values will be
    /// refused again.
    var isAboutValues: Bool { code == .refusedValues || code == .alreadyThere }

    var description: String { message }
}
