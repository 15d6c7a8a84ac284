internal import Logging

/// Log lines of Troupe's parts, in short.
struct SinkLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    let source: String
    let sink: LogSink

    static func logger(_ source: String, _ level: Logger.Level, to sink: @escaping LogSink) -> Logger {
        Logger(label: source) { SinkLogHandler(logLevel: level, source: $0, sink: sink) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var text = "\(event.message)"
        let metadata = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where !Self.hidden.contains(key) {
            text += " \(key)=\(value)"
        }
        if let error = event.error { text += " error=\(error)" }
        for line in text.split(separator: "\n") {
            sink(LogLine(source, .log, level: event.level, String(line).harmless))
        }
    }

    /// The source says it already, or nobody here asks.
    private static let hidden: Set<String> = ["actor", "trace_id", "span_id"]
}
