/// The five characters by which PostgreSQL names an error (appendix A of its manual).
public struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let uniqueViolation = SQLState(rawValue: "23505")
    public static let serializationFailure = SQLState(rawValue: "40001")
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    public static let undefinedTable = SQLState(rawValue: "42P01")
    public static let undefinedColumn = SQLState(rawValue: "42703")
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    public static let syntaxError = SQLState(rawValue: "42601")
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    public static let queryCanceled = SQLState(rawValue: "57014")
    public static let adminShutdown = SQLState(rawValue: "57P01")
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    /// A server whose pooler gave this session another backend: the prepared statement isn't there.
    public static let invalidStatementName = SQLState(rawValue: "26000")

    /// The first two characters: what kind of error it is.
    public var category: Substring { rawValue.prefix(2) }

    public var description: String { rawValue }
}
