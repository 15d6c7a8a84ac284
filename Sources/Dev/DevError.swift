/// Why a pipeline cannot run on this machine, in words that say what to do.
public struct DevError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Another one runs in the same folder.
        case inUse = "in_use"
        case portTaken = "port_taken"
        case noPython = "no_python"
        /// Settings, the database's schema.
        case configuration
        /// A folder cannot be written.
        case notPermitted = "not_permitted"
        /// The broker or the database does not answer.
        case unavailable
    }

    public let code: Code
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
