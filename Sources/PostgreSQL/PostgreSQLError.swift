/// What went wrong between us and PostgreSQL.
///
/// `description` is safe to log: no SQL and no values. `debugDescription` tells all that the server said.
public struct PostgreSQLError: Error, Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    public enum Code: String, Sendable {
        /// No connection could be made.
        case connectionFailed = "connection_failed"
        /// The connection ended while a statement was under way: it may or may not have been carried out.
        case connectionLost = "connection_lost"
        /// The connection or the pool was closed by us.
        case closed
        /// The server refused the statement; `sqlState` says why.
        case server
        case timeout
        /// The task was cancelled.
        case cancelled
        /// No connection became free in time.
        case poolExhausted = "pool_exhausted"
        /// A column is missing, null or of another type than the code asks for.
        case unexpectedResult = "unexpected_result"
    }

    public let code: Code
    /// For `.server`, and for a connection that the server refused with an error.
    public let sqlState: SQLState?
    /// In words; for `.server` the server's own, which may quote values.
    public let message: String
    public let constraint: String?

    public init(_ code: Code, _ message: String, sqlState: SQLState? = nil, constraint: String? = nil) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.constraint = constraint
    }

    static let taskCancelled = PostgreSQLError(.cancelled, "the task was cancelled")

    /// Whether the same call may succeed later.
    public var isRetryable: Bool { isUnavailable || sqlState == .serializationFailure || sqlState == .deadlockDetected }

    /// Whether it is about what the statement was given rather than about the database's state, which may change: data exceptions,
    /// constraints, limits of the program. The same values will be refused again.
    public var isAboutValues: Bool { code == .unexpectedResult || ["22", "23", "54"].contains(sqlState?.category) }

    /// Whether the database is away or too busy, rather than the statement wrong.
    public var isUnavailable: Bool {
        switch code {
        case .connectionFailed, .connectionLost, .timeout, .poolExhausted: true
        case .closed, .cancelled, .unexpectedResult: false
        case .server:
            // 08 connection, 53 resources, 57 operator (shutdown, start-up, statement timeout), 58 system error.
            ["08", "53", "57", "58"].contains(sqlState?.category)
                || sqlState == .lockNotAvailable || sqlState == .readOnlyTransaction
                || sqlState == .invalidStatementName
        }
    }

    public var description: String {
        var text = code.rawValue
        if let sqlState { text += " \(sqlState)" }
        if let constraint { text += " (constraint \(constraint))" }
        if !mayQuoteValues { text += ": \(message)" }
        return text
    }

    public var debugDescription: String {
        "\(code.rawValue)\(sqlState.map { " \($0)" } ?? "")\(constraint.map { " (constraint \($0))" } ?? ""): \(message)"
    }

    /// Data errors, violated constraints and syntax errors quote values or SQL.
    private var mayQuoteValues: Bool {
        code == .server && (["22", "23"].contains(sqlState?.category) || sqlState == .syntaxError)
    }
}
