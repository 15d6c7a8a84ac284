internal import EventLoops
internal import Logging
internal import NIOCore
internal import Synchronization

/// An open event stream. The call that opened it has ended, and no task waits in its place: the hub wakes it, it tells what is new in a
/// task that ends with that, and is a small object again. Thousands of silent streams take little memory so.
final class OpenStream: HubListener {
    private let hub: UpdateHub
    private let outlet: NIOLoopBound<StreamOutlet>
    private let loop: any NIOCore.EventLoop
    private let slot: StreamSlot
    private let logger: Logger
    private let state: Mutex<State>

    fileprivate struct State {
        var source: any EventSource
        /// At most one at a time.
        var round: Task<Void, Never>?
        /// They have come while a round was under way.
        var hasNews = false
        var isOver = false
    }

    private init(
        _ outlet: StreamOutlet, _ source: any EventSource, _ hub: UpdateHub, _ slot: StreamSlot, _ logger: Logger
    ) {
        self.hub = hub
        self.outlet = NIOLoopBound(outlet, eventLoop: outlet.loop)
        loop = outlet.loop
        self.slot = slot
        self.logger = logger
        state = Mutex(State(source: source))
    }

    /// Takes a connection whose answer's head is written.
    /// - Parameters:
    ///   - patience: with a client that takes no more of its answer.
    ///   - slot: is free again when the connection is closed.
    static func open(
        on channel: any Channel, _ source: any EventSource, _ hub: UpdateHub, patience: Duration, _ slot: StreamSlot,
        _ logger: Logger
    ) async throws {
        try await channel.eventLoop.submit {
            let outlet = try StreamOutlet.takeOver(channel, patience: patience)
            let stream = OpenStream(outlet, source, hub, slot, logger)
            outlet.onClose = { stream.close() }
            // Woken before anything is read, so that nothing falls between.
            hub.join(stream, source.following)
            stream.begin(.opened)
        }.get()
    }

    // MARK: Rounds

    func wake(hasNews: Bool) {
        state.withLock { state in
            if state.round != nil {
                if hasNews { state.hasNews = true }
            } else if hasNews || state.source.isDue(now: .now) {
                begin(hasNews ? .news : .time, &state)
            }
        }
    }

    /// The gateway stops. A round that is under way is the last one.
    func finish() {
        let isIdle = state.withLock { state in
            defer { state.isOver = true }
            return state.round == nil && !state.isOver
        }
        if isIdle { end() }
    }

    private func begin(_ occasion: EventOccasion) {
        state.withLock { begin(occasion, &$0) }
    }

    private func begin(_ occasion: EventOccasion, _ state: inout State) {
        guard !state.isOver else { return }
        state.round = Task { await self.tell(occasion) }
    }

    fileprivate enum Next { case again, wait, end }

    private func tell(_ first: EventOccasion) async {
        var occasion = first
        var next = Next.again
        while next == .again {
            var source = state.withLock { $0.source }
            do {
                let hasMore = try await source.tell(occasion, to: self)
                next = state.withLock { $0.told(source, hasMore: hasMore) }
                occasion = .news
            } catch {
                if !(error is CancellationError) {
                    logger.warning("stream broken off", metadata: ["error": "\(error)"])
                }
                return loop.execute { [outlet] in outlet.value.close() }
            }
        }
        if next == .end { end() }
    }

    // MARK: The connection

    /// Returns when the client can take more.
    func send(_ bytes: [UInt8]) async throws {
        try await withCheckedThrowingContinuation { continuation in
            loop.execute { [outlet] in outlet.value.send(bytes, continuation) }
        }
    }

    private func end() { loop.execute { [outlet] in outlet.value.end() } }

    /// The connection is closed, by whomever.
    private func close() {
        state.withLock { state in
            state.isOver = true
            state.round?.cancel()
        }
        hub.leave(self)
    }
}

extension OpenStream.State {
    /// A round has ended.
    fileprivate mutating func told(_ source: any EventSource, hasMore: Bool) -> OpenStream.Next {
        self.source = source
        if isOver || !hasMore {
            isOver = true
            return .end
        }
        if hasNews {
            hasNews = false
            return .again
        }
        round = nil
        return .wait
    }
}
