internal import Glibc
internal import GRDB

/// What went wrong between us and a file of SQLite's.
///
/// `description` is safe to log: no SQL and no values.
public struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Another process has the file.
        case inUse = "in_use"
        /// There is something else, or what is left of a database.
        case notADatabase = "not_a_database"
        /// A newer program has written it.
        case newer
        /// The folder or the file can't be written or read.
        case notPermitted = "not_permitted"
        case diskFull = "disk_full"
        /// The disk failed.
        case inputOutput = "input_output"
        /// A rule of the tables forbids the values.
        case constraint
        case closed
        /// Anything else: a mistake of ours.
        case unexpected
    }

    public let code: Code
    /// In words, with what to do.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether the same call may succeed later, when somebody has made room or mended the disk.
    public var isUnavailable: Bool { code == .diskFull || code == .inputOutput || code == .notPermitted }

    public var description: String { "\(code.rawValue): \(message)" }
}

extension SQLiteError {
    /// - Parameter path: the file.
    init(_ error: any Error, at path: String) {
        switch error {
        case let error as SQLiteError: self = error
        case let error as DatabaseError: self.init(error, at: path)
        default: self.init(.unexpected, "\(error)")
        }
    }

    // The codes are those of https://www.sqlite.org/rescode.html
    private init(_ error: DatabaseError, at path: String) {
        let reason = "\(error.message ?? "no reason given") (SQLite's error \(error.extendedResultCode.rawValue))"
        switch error.resultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            self.init(
                .notADatabase, "'\(path)' is no database, or a damaged one: \(reason). Move it away to begin anew.")
        case .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_AUTH:
            self.init(.notPermitted, "'\(path)' cannot be opened or written: \(reason). Look at its rights.")
        case .SQLITE_FULL: self.init(.diskFull, "no room left for '\(path)': make some on that disk")
        case .SQLITE_IOERR: self.init(.inputOutput, "the disk failed at '\(path)': \(reason)")
        case .SQLITE_CONSTRAINT: self.init(.constraint, "a rule of the tables forbids it: \(error.extendedResultCode)")
        default: self.init(.unexpected, "\(reason) at '\(path)'")
        }
    }
}
