import Logging
import Synchronization

/// Keeps what is logged, each entry as one text.
final class RecordingLog: Sendable {
    private let entries = Mutex<[String]>([])

    var lines: [String] { entries.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: RecordingLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            let texts = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            log.entries.withLock { $0.append("\(event.level) \(event.message) \(texts.joined(separator: " "))") }
        }
    }
}
