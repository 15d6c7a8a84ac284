internal import Envelopes
internal import Synchronization

/// Frames of events on their way from a handler, on whatever thread, to its call's connection on the event loop.
final class Emitter: Sendable {
    private let state = Mutex(State())
    /// Has the server come for the frames.
    private let wake: @Sendable () -> Void
    private let log: Log

    private struct State {
        var frames: [UInt8] = []
        var isWoken = false
        var end: End?
        var hasWarned = false
    }

    enum End: Sendable {
        /// The handler has returned: what is emitted now comes too late.
        case over
        /// Nobody is there to hear it.
        case gone
    }

    /// Bytes that wait for a sidecar that reads slowly.
    private static let limit = 1 << 20

    init(log: Log, wake: @escaping @Sendable () -> Void) {
        self.log = log
        self.wake = wake
    }

    func emit(_ event: EmittedEvent) {
        let frame = event.frame
        let (mustWake, warning) = state.withLock { state -> (Bool, String?) in
            switch state.end {
            case .gone: return (false, nil)
            case .over: return (false, "an event came after the end of its call, and is left out")
            case nil: break
            }
            guard state.frames.count + frame.count <= Self.limit else {
                defer { state.hasWarned = true }
                return (false, state.hasWarned ? nil : "events are left out: the sidecar takes them too slowly")
            }
            state.frames += frame
            defer { state.isWoken = true }
            return (!state.isWoken, nil)
        }
        if let warning { log.warning(warning, ["type": event.type]) }
        if mustWake { wake() }
    }

    /// What has come since, in order.
    func take() -> [UInt8] {
        state.withLock { state in
            defer { (state.frames, state.isWoken) = ([], false) }
            return state.frames
        }
    }

    /// - Returns: what has come until then.
    func end(_ end: End) -> [UInt8] {
        state.withLock { $0.end = $0.end ?? end }
        return take()
    }
}

extension EmittedEvent {
    /// As the sidecar reads it: length and `{"event": {"type", "data"}}`.
    fileprivate var frame: [UInt8] {
        var writer = JSONWriter(capacity: data.bytes.count + 64)
        writer.beginObject()
        writer.name("event")
        writer.beginObject()
        writer.name("type")
        writer.append(string: type)
        writer.name("data")
        writer.append(data)
        writer.endObject()
        writer.endObject()
        return withUnsafeBytes(of: UInt32(clamping: writer.bytes.count).bigEndian, Array.init) + writer.bytes
    }
}
