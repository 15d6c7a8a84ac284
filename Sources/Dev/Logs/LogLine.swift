public import Logging

/// A line of what goes on in a pipeline: what a handler has written, or what one of Troupe's parts has to say.
public struct LogLine: Sendable, Hashable {
    public typealias Level = Logger.Level

    public enum Stream: String, Sendable {
        /// A handler's.
        case output, error
        /// Troupe's own, a handler's runtime included.
        case log
    }

    /// An actor, `gateway`, or `dev`.
    public var source: String
    public var stream: Stream
    /// Of `log` only.
    public var level: Level?
    /// Without control characters.
    public var text: String

    public init(_ source: String, _ stream: Stream, level: Level? = nil, _ text: String) {
        self.source = source
        self.stream = stream
        self.level = level
        self.text = text
    }

    /// Whether somebody who wants to see problems only wants to see it.
    public var isProblem: Bool { stream == .error || (level ?? .debug) >= .warning }
}

/// Where lines go; called from any thread.
public typealias LogSink = @Sendable (LogLine) -> Void
