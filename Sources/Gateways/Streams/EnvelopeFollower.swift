internal import EventLoops

/// Reads an envelope's history as it grows.
struct EnvelopeFollower: Sendable {
    let updates: any UpdateReading
    let hub: UpdateHub
    let keepAliveInterval: Duration

    enum Event: Sendable {
        case update(EnvelopeUpdate)
        /// Nothing has been sent for so long that somebody on the way may take the connection for dead.
        case silence
    }

    enum End: Sendable, Hashable {
        /// Everything is told: the envelope has ended, or is gone.
        case finished
        /// The gateway stops.
        case stopped
        /// The caller doesn't want more.
        case interrupted
    }

    /// When a stream says that it is still there. Looked at with each wake-up, so a little early rather than late.
    var quietLimit: Duration { max(.zero, keepAliveInterval - hub.settings.pollInterval) }

    /// - Parameters:
    ///   - wakeUps: taken out before anything is read, so that nothing falls between.
    ///   - isOver: asked at each wake-up.
    func follow(
        _ id: String, after lastID: Int64, _ wakeUps: WakeUps, isOver: () -> Bool = { false },
        send: (Event) async throws -> Void
    ) async throws -> End {
        var machine = UpdateStreamMachine(after: lastID, quietLimit: quietLimit, now: .now)
        var action = machine.woken()
        var iterator = wakeUps.stream.makeAsyncIterator()
        while true {
            if try await tell(id, &machine, action, send) { return .finished }
            if isOver() { return .interrupted }
            if await iterator.next() == nil { return .stopped }
            action = wakeUps.takeNews() ? machine.woken() : machine.ticked(now: .now)
        }
    }

    /// Does what there is to do until it has to wait.
    /// - Returns: whether everything is told.
    func tell(
        _ id: String, _ machine: inout UpdateStreamMachine, _ first: UpdateStreamMachine.Action,
        _ send: (Event) async throws -> Void
    ) async throws -> Bool {
        var action = first
        while true {
            switch action {
            case .read(let after): action = try await sendPage(of: id, after: after, &machine, send)
            case .sendKeepAlive:
                try await send(.silence)
                action = machine.sentKeepAlive(now: .now)
            case .wait: return false
            case .finish: return true
            }
            try Task.checkCancellation()
        }
    }

    private func sendPage(
        of id: String, after: Int64, _ machine: inout UpdateStreamMachine, _ send: (Event) async throws -> Void
    ) async throws -> UpdateStreamMachine.Action {
        let page: UpdatePage?
        do throws(StoreError) {
            page = try await updates.updates(of: id, after: after, limit: 100)
        } catch {
            // The stream outlives a database that is away: the hub wakes it again.
            guard error.isRetryable else { throw error }
            return machine.databaseIsAway(now: .now)
        }
        // Deleted meanwhile.
        guard let page else { return .finish }
        for update in page.updates { try await send(.update(update)) }
        return machine.sent(
            .init(ids: page.updates.map(\.id), isFull: page.isFull, isFinal: page.isFinal), now: .now)
    }
}
