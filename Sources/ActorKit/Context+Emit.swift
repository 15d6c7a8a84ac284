public import Envelopes
internal import FoundationEssentials

/// Partial results: what a handler tells while it works reaches whoever follows the envelope, in order, at once.
///
/// Any task may emit, as long as the call runs. Nothing of it fails the call: what cannot be sent is left out, and the
/// log says so. Where the sidecar takes no events, nothing happens.
extension Context {
    /// - Parameters:
    ///   - type: `token`, or what handler and client agree on: 1 to 100 bytes.
    ///   - data: 64 KiB at most, unless the sidecar is set otherwise.
    public func emit(_ type: String, _ data: RawJSON) {
        guard EmittedEvent.isType(type) else {
            return log.warning("an event is left out: its type must have 1 to 100 bytes", ["type": type])
        }
        onEmit(EmittedEvent(type: type, data: data))
    }

    /// The same with a Swift value: dates as ISO 8601, keys sorted.
    public func emit(_ type: String, _ data: some Encodable) {
        do {
            emit(type, try RawJSON([UInt8](Self.encoder.encode(data))))
        } catch {
            log.warning("an event is left out: its data are no JSON", ["type": type, "error": "\(error)"])
        }
    }

    /// A log line for whoever follows the envelope; `log` writes one for the operator.
    public func emit(log message: String, level: Log.Level = .info) {
        let level = RawJSON.Member(name: "level", value: RawJSON(string: level.rawValue))
        let message = RawJSON.Member(name: "message", value: RawJSON(string: message))
        emit("log", RawJSON(object: [level, message]))
    }

    /// How much of its work the handler has done: the envelope's own progress moves with it.
    /// - Parameter percent: 0...100.
    public func emit(progress percent: Double, _ message: String? = nil) {
        guard percent.isFinite else { return log.warning("an event is left out: its percentage is no number") }
        let percent = RawJSON { $0.append(min(max(percent, 0), 100)) }
        var members = [RawJSON.Member(name: "percent", value: percent)]
        if let message { members.append(.init(name: "message", value: RawJSON(string: message))) }
        emit("progress", RawJSON(object: members))
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}
