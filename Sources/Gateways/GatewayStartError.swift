/// Why a gateway doesn't start.
public struct GatewayStartError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A setting, a tool file, or the database's schema is wrong: nothing gets better by itself.
        case configuration
        /// The database didn't answer.
        case unavailable
    }

    public let code: Code
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Of sysexits.h: 78 configuration, 69 unavailable.
    public var exitCode: Int32 { code == .configuration ? 78 : 69 }

    public var description: String { message }
}
