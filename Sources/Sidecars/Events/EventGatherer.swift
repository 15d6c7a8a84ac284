public import Envelopes
public import EventLoops

/// Gathers what a handler emits during one call, and says when it goes to the broker, in which portions. Pure.
///
/// One portion is under way at a time, so they arrive in order whatever has to be sent again. The first event goes at
/// once; from then on a portion every `interval`, or sooner when it is large.
public struct EventGatherer: Sendable {
    public enum Action: Sendable, Hashable {
        case nothing
        /// Call `due` after that time.
        case schedule(after: Duration)
        /// Send these, then call `sent`.
        case send([EmittedEvent])
        /// The call has ended, and all that it emitted is sent.
        case finish
    }

    /// Why an event was left out.
    public enum Refusal: String, Sendable, Hashable, CaseIterable {
        case malformed
        case tooLarge = "too_large"
        case tooMany = "too_many"
        /// The broker does not take them as fast as they come.
        case tooFast = "too_fast"
    }

    static let interval = Duration.milliseconds(50)
    /// Bytes of data that go at once.
    static let portion = 32 << 10
    /// What an event costs beside its data.
    private static let overhead = 64

    private let limits: EventLimits
    private var waiting: [EmittedEvent] = []
    private var waitingBytes = 0
    private var bytes = 0
    private var isSending = false
    private var isScheduled = false
    private var hasEnded = false
    private var nextPortion: MonotonicTime?
    public private(set) var taken = 0
    public private(set) var refused: [Refusal: Int] = [:]

    public init(_ limits: EventLimits = EventLimits()) { self.limits = limits }

    /// The handler has emitted something.
    /// - Parameter event: what stands in the frame's member `event`.
    public mutating func received(_ json: RawJSON, at time: String, now: MonotonicTime) -> Action {
        guard !hasEnded else { return .nothing }
        guard var event = EmittedEvent(json, now: time) else { return refuse(.malformed, at: time, now: now) }
        // The handler's clock may say anything.
        event.at = time
        let size = event.data.bytes.count
        if size > limits.eventBytes { return refuse(.tooLarge, at: time, now: now) }
        if taken >= limits.eventsPerCall || bytes + size > limits.bytesPerCall {
            return refuse(.tooMany, at: time, now: now)
        }
        if waitingBytes + Self.cost(event) > limits.waitingBytes { return refuse(.tooFast, at: time, now: now) }
        taken += 1
        bytes += size
        append(event)
        return next(now: now)
    }

    /// The scheduled time has come.
    public mutating func due(now: MonotonicTime) -> Action {
        isScheduled = false
        return next(now: now)
    }

    /// The portion is safe, or given up.
    public mutating func sent(now: MonotonicTime) -> Action {
        isSending = false
        return next(now: now)
    }

    /// The call has ended: nothing more is taken, and what waits goes without delay.
    public mutating func ended(now: MonotonicTime) -> Action {
        hasEnded = true
        return next(now: now)
    }

    // MARK: Steps

    private mutating func next(now: MonotonicTime) -> Action {
        if isSending { return .nothing }
        if waiting.isEmpty { return hasEnded ? .finish : .nothing }
        if let nextPortion, now < nextPortion, !hasEnded, waitingBytes < Self.portion {
            if isScheduled { return .nothing }
            isScheduled = true
            return .schedule(after: now.duration(to: nextPortion))
        }
        isSending = true
        nextPortion = now.advanced(by: Self.interval)
        return .send(takePortion())
    }

    private mutating func takePortion() -> [EmittedEvent] {
        var size = 0
        let events = waiting.prefix { event in
            guard size < Self.portion else { return false }
            size += Self.cost(event)
            return true
        }
        waiting.removeFirst(events.count)
        waitingBytes -= size
        return Array(events)
    }

    private static func cost(_ event: EmittedEvent) -> Int { event.data.bytes.count + overhead }

    private mutating func append(_ event: EmittedEvent) {
        // Its bytes alone: the frame around them, and what came with it, are let go.
        var event = event
        event.data = event.data.detached
        waiting.append(event)
        waitingBytes += Self.cost(event)
    }

    /// Whoever watches is told once of each reason.
    private mutating func refuse(_ reason: Refusal, at time: String, now: MonotonicTime) -> Action {
        refused[reason, default: 0] += 1
        guard refused[reason] == 1 else { return .nothing }
        append(.warning(reason.inWords(limits), at: time))
        return next(now: now)
    }
}

extension EventGatherer.Refusal {
    fileprivate func inWords(_ limits: EventLimits) -> String {
        switch self {
        case .malformed: "an event was left out: it must have a 'type', a text of 1 to 100 bytes"
        case .tooLarge:
            "an event was left out: its data have more than \(limits.eventBytes) bytes (TROUPE_EVENT_MAX_BYTES)"
        case .tooMany:
            "further events of this call are left out: more than \(limits.eventsPerCall) (TROUPE_EVENTS_PER_CALL), or "
                + "\(limits.bytesPerCall) bytes"
        case .tooFast: "events were left out: they came faster than the broker took them"
        }
    }
}

extension EmittedEvent {
    fileprivate static func warning(_ message: String, at time: String) -> EmittedEvent {
        let data = RawJSON { writer in
            writer.beginObject()
            writer.name("level")
            writer.append(string: "warning")
            writer.name("message")
            writer.append(string: message)
            writer.endObject()
        }
        return EmittedEvent(type: "log", data: data, at: time)
    }
}
