internal import EventLoops

/// Reads the updates of many envelopes as they come.
struct ManyFollower: Sendable {
    let store: any EnvelopeReading
    let updates: any UpdateReading
    let hub: UpdateHub
    /// After how much silence somebody on the way may take the connection for dead.
    let quietLimit: Duration

    enum Scope: Sendable {
        /// Goes on for ever.
        case filter(UpdateFilter)
        /// An envelope with its descendants, until all of them have ended.
        case family(of: String)

        fileprivate var isFamily: Bool { if case .family = self { true } else { false } }
    }

    enum Event: Sendable {
        case update(EnvelopeUpdate)
        /// Nothing to tell up to this update.
        case silence(upTo: Int64)
    }

    private static let pageSize = 200
    private static let familyLimit = 10_000
    /// Between looks: the notifications of a busy system come without a pause.
    private static let pause = Duration.milliseconds(50)
    /// While somebody is still writing, at first and at most.
    private static let writersPauses = (Duration.milliseconds(10), Duration.seconds(1))

    /// Returns when all is told, or the gateway stops.
    func follow(_ scope: Scope, after last: Int64, send: (Event) async throws -> Void) async throws {
        // Woken before anything is read, so that nothing falls between.
        let wakeUps =
            switch scope {
            case .filter: hub.wakeUpsForAll()
            case .family(let id): hub.wakeUps(for: [id])
            }
        var iterator = wakeUps.stream.makeAsyncIterator()
        var reading = SettledReading(after: last)
        var lastSent = MonotonicTime.now
        var backoff = Self.patience
        while true {
            let progress = try await tell(scope, &reading, wakeUps) { update in
                try await send(.update(update))
                lastSent = .now
            }
            if progress == .finished || hub.isFinished { return }
            // A family's new members are no news of those that are known.
            var isDue = progress == .behind || scope.isFamily
            repeat {
                if lastSent.duration(to: .now) >= quietLimit {
                    try await send(.silence(upTo: reading.last))
                    lastSent = .now
                }
                if progress == .unsettled { break }
                if await iterator.next() == nil { return }
                if wakeUps.takeNews() { isDue = true }
            } while !isDue
            if progress == .unsettled {
                try await Task.sleep(for: backoff.next())
            } else {
                backoff = Self.patience
                try await Task.sleep(for: Self.pause)
                reading.woken()
            }
        }
    }

    private static var patience: Backoff { Backoff(initial: writersPauses.0, ceiling: writersPauses.1) }

    private enum Progress { case finished, upToDate, unsettled, behind }

    /// Sends all that is sure by now.
    private func tell(
        _ scope: Scope, _ reading: inout SettledReading, _ wakeUps: WakeUps,
        _ send: (EnvelopeUpdate) async throws -> Void
    ) async throws -> Progress {
        do {
            // Before the updates: of a family that has ended, the ends are among them.
            let (filter, hasEnded) = try await filter(scope, wakeUps)
            while true {
                switch reading.next {
                case .look: reading.looked(try await updates.lastUpdate())
                case .read(let after, let upTo):
                    let (updates, page) = try await updates.updates(
                        filter, after: after, upTo: upTo, limit: Self.pageSize)
                    guard reading.read(page) else { return .unsettled }
                    for update in updates { try await send(update) }
                case .wait: return hasEnded ? .finished : .upToDate
                }
            }
        } catch let error as StoreError where error.isRetryable {
            // The stream outlives a database that is away: the hub wakes it again.
            return .behind
        }
    }

    private func filter(
        _ scope: Scope, _ wakeUps: WakeUps
    ) async throws(StoreError) -> (filter: UpdateFilter, hasEnded: Bool) {
        switch scope {
        case .filter(let filter): return (filter, false)
        case .family(let id):
            let family = try await store.family(of: id, limit: Self.familyLimit)
            hub.change(wakeUps, to: Set(family.ids + [id]))
            return (UpdateFilter(familyOf: id, hasPartials: true), family.hasEnded)
        }
    }
}
