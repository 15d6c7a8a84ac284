internal import Envelopes
internal import Glibc
public import Logging

/// One JSON object a line on standard error: `{"time", "level", "logger", "message", ...metadata}`.
public struct JSONLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    private let label: String

    public init(label: String, level: Logger.Level = .info) {
        self.label = label
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        for (name, text) in [
            ("time", Timestamp.now()), ("level", event.level.rawValue), ("logger", label),
            ("message", "\(event.message)"),
        ] {
            writer.name(name)
            writer.append(string: text)
        }
        let metadata = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            writer.name(key)
            writer.append(string: "\(value)")
        }
        writer.endObject()
        // One write, so that lines of several threads do not mix.
        let line = writer.bytes + [UInt8(ascii: "\n")]
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
