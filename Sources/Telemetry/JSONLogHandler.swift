internal import Envelopes
internal import Glibc
public import Logging

/// One JSON object a line on standard error: `{"time", "level", "logger", "message", ...metadata}`.
public struct JSONLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    /// Says what is known of the work that the line comes from.
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let descriptor: Int32

    /// - Parameter descriptor: where the lines go; 2 is standard error.
    public init(
        label: String, level: Logger.Level = .info, descriptor: Int32 = 2,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
        self.metadataProvider = metadataProvider
        self.descriptor = descriptor
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        var own = [
            ("time", Timestamp.now()), ("level", event.level.rawValue), ("logger", label),
            ("message", "\(event.message)"),
        ]
        if let error = event.error { own.append(("error", "\(error)")) }
        for (name, text) in own {
            writer.name(name)
            writer.append(string: text)
        }
        var metadata = metadata
        if let metadataProvider { metadata.merge(metadataProvider.get()) { $1 } }
        if let own = event.metadata { metadata.merge(own) { $1 } }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            // A name that stands twice is read by some as the first, by others as the last.
            writer.name(own.contains { $0.0 == key } ? "\(key)_" : key)
            writer.append(string: "\(value)")
        }
        writer.endObject()
        // One write, so that lines of several threads do not mix.
        let line = writer.bytes + [UInt8(ascii: "\n")]
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}
