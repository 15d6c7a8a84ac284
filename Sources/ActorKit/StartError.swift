internal import Glibc
public import Settings

/// Why an actor can't start: a sentence for its operator, and the exit code. A handler's `init` may throw it.
public struct StartError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public let exitCode: Int32

    public init(_ message: String, exitCode: Int32 = StartError.wrongSetting) {
        self.message = message
        self.exitCode = exitCode
    }

    /// One line for each wrong setting.
    public init(_ problems: [Settings.Problem]) {
        self.init(problems.map(\.description).joined(separator: "\n"))
    }

    public var description: String { message }

    /// Says why on standard error, and exits.
    public func endProcess() -> Never {
        let line = Array("troupe-actor: \(message)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        exit(exitCode)
    }

    // sysexits.h
    /// EX_SOFTWARE: the handler's own `init` failed.
    public static let handlerFailed: Int32 = 70
    /// EX_CANTCREAT: the socket or the readiness file.
    public static let cannotCreate: Int32 = 73
    /// EX_CONFIG
    public static let wrongSetting: Int32 = 78
}
