internal import Glibc

/// Writes JSON lines to standard error: `time`, `level`, `message`, and what is known about the call (`envelope_id`,
/// `actor`).
public struct Log: Sendable {
    public enum Level: String, Sendable, CaseIterable, Comparable {
        case debug
        case info
        case warning
        case error
        case critical

        private var weight: Int { Self.allCases.firstIndex(of: self) ?? 0 }
        public static func < (left: Level, right: Level) -> Bool { left.weight < right.weight }
    }

    /// What is below is not written. `TROUPE_LOG_LEVEL` says which for the log that a handler gets.
    public var level: Level
    /// Goes into every line.
    public var fields: KeyValuePairs<String, String>

    public init(level: Level = .info, fields: KeyValuePairs<String, String> = [:]) {
        self.level = level
        self.fields = fields
    }

    public func debug(_ message: @autoclosure () -> String, _ more: KeyValuePairs<String, String> = [:]) {
        write(.debug, message, more)
    }

    public func info(_ message: @autoclosure () -> String, _ more: KeyValuePairs<String, String> = [:]) {
        write(.info, message, more)
    }

    public func warning(_ message: @autoclosure () -> String, _ more: KeyValuePairs<String, String> = [:]) {
        write(.warning, message, more)
    }

    public func error(_ message: @autoclosure () -> String, _ more: KeyValuePairs<String, String> = [:]) {
        write(.error, message, more)
    }

    private func write(_ level: Level, _ message: () -> String, _ more: KeyValuePairs<String, String>) {
        guard level >= self.level else { return }
        var line = JSONWriter()
        line.beginObject()
        let own: KeyValuePairs = ["time": Timestamp.now(), "level": level.rawValue, "message": message()]
        for (name, value) in [own, fields, more].joined() {
            line.name(name)
            line.append(string: value)
        }
        line.endObject()
        // One call a line: lines of several calls at once don't mix.
        let bytes = line.bytes + [UInt8(ascii: "\n")]
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
