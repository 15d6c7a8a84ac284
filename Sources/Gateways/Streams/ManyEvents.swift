internal import EventLoops

/// The updates of many envelopes as they come.
struct ManyEvents: EventSource {
    private let scope: Scope
    private let store: any EnvelopeReading
    private let updates: any UpdateReading
    private let hub: UpdateHub
    /// After how much silence somebody on the way may take the connection for dead.
    private let quietLimit: Duration
    private var reading: SettledReading
    private var lastSent = MonotonicTime.now
    /// What the last round should have told could not be read.
    private var isBehind = false

    enum Scope: Sendable {
        /// Goes on for ever.
        case filter(UpdateFilter)
        /// An envelope with its descendants, until all of them have ended.
        case family(of: String)

        fileprivate var isFamily: Bool { if case .family = self { true } else { false } }
    }

    private static let pageSize = 200
    private static let familyLimit = 10_000
    /// Between looks: the notifications of a busy system come without a pause.
    private static let pause = Duration.milliseconds(50)
    /// While somebody is still writing, at first and at most.
    private static let writersPauses = (Duration.milliseconds(10), Duration.seconds(1))

    init(
        _ scope: Scope, after last: Int64, store: any EnvelopeReading, updates: any UpdateReading, hub: UpdateHub,
        quietLimit: Duration
    ) {
        self.scope = scope
        self.store = store
        self.updates = updates
        self.hub = hub
        self.quietLimit = quietLimit
        reading = SettledReading(after: last)
    }

    var following: UpdateHub.Following {
        switch scope {
        case .filter: .all
        case .family(let id): .envelopes([id])
        }
    }

    /// A family's new members are no news of those that are known.
    private var isToLook: Bool { isBehind || scope.isFamily }

    func isDue(now: MonotonicTime) -> Bool { isToLook || isQuiet(now) }

    private func isQuiet(_ now: MonotonicTime) -> Bool { lastSent.duration(to: now) >= quietLimit }

    mutating func tell(_ occasion: EventOccasion, to stream: OpenStream) async throws -> Bool {
        var backoff = Backoff(initial: Self.writersPauses.0, ceiling: Self.writersPauses.1)
        var isToLook = occasion != .time || isToLook
        if isToLook, occasion != .opened {
            try await Task.sleep(for: Self.pause)
            reading.woken()
        }
        while true {
            let progress = isToLook ? try await look(stream) : .upToDate
            if progress == .finished || hub.isFinished { return false }
            if isQuiet(.now) {
                try await stream.send(ServerSentEvent.keepAlive(upTo: reading.last))
                lastSent = .now
            }
            isBehind = progress == .behind
            guard progress == .unsettled else { return true }
            isToLook = true
            try await Task.sleep(for: backoff.next())
        }
    }

    private enum Progress { case finished, upToDate, unsettled, behind }

    /// Sends all that is sure by now.
    private mutating func look(_ stream: OpenStream) async throws -> Progress {
        do {
            // Before the updates: of a family that has ended, the ends are among them.
            let (filter, hasEnded) = try await filter(stream)
            while true {
                switch reading.next {
                case .look: reading.looked(try await updates.lastUpdate())
                case .read(let after, let upTo):
                    let (updates, page) = try await updates.updates(
                        filter, after: after, upTo: upTo, limit: Self.pageSize)
                    guard reading.read(page) else { return .unsettled }
                    for update in updates { try await stream.send(ServerSentEvent.update(update)) }
                    if !updates.isEmpty { lastSent = .now }
                case .wait: return hasEnded ? .finished : .upToDate
                }
            }
        } catch let error as StoreError where error.isRetryable {
            // The stream outlives a database that is away: the hub wakes it again.
            return .behind
        }
    }

    private func filter(_ stream: OpenStream) async throws(StoreError) -> (filter: UpdateFilter, hasEnded: Bool) {
        switch scope {
        case .filter(let filter): return (filter, false)
        case .family(let id):
            let family = try await store.family(of: id, limit: Self.familyLimit)
            hub.change(stream, to: Set(family.ids + [id]))
            return (UpdateFilter(familyOf: id, hasPartials: true), family.hasEnded)
        }
    }
}
