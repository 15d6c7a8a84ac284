internal import EventLoops
internal import Logging
internal import Synchronization

/// Wakes the streams of an envelope when it has moved, on whichever gateway that was written.
///
/// Carries no updates, only the news that there are some: each stream reads them from the table at its own pace, so a slow one holds
/// nothing in memory.
final class UpdateHub: Sendable {
    private let news: any UpdateNews
    private let updates: any UpdateReading
    let settings: Settings
    private let logger: Logger
    private let state = Mutex(State())

    struct Settings: Sendable {
        /// How often somebody looks whether there is what nobody has told of, and streams whether a keep-alive is due.
        var pollInterval: Duration
        /// The same while news can't be heard.
        var deafPollInterval = Duration.seconds(1)
    }

    fileprivate struct State {
        var wakes: [UInt64: Wake] = [:]
        /// By envelope: who follows it.
        var followers: [String: Set<UInt64>] = [:]
        var followed: [UInt64: Set<String>] = [:]
        /// Who follows everything.
        var followersOfAll: Set<UInt64> = []
        var lastNumber: UInt64 = 0
        var isListening = false
        var isFinished = false
    }

    /// - Parameter updates: where to look for what `news` has not told.
    init(news: any UpdateNews, updates: any UpdateReading, settings: Settings, logger: Logger) {
        self.news = news
        self.updates = updates
        self.settings = settings
        self.logger = logger
    }

    /// Runs until `finish()`, or until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.news.run { event in self.handle(event) }
            }
            var poll = UpdatePoll()
            while !Task.isCancelled && !self.state.withLock({ $0.isFinished }) {
                let isListening = self.state.withLock { $0.isListening }
                try? await Task.sleep(for: isListening ? self.settings.pollInterval : self.settings.deafPollInterval)
                await self.look(&poll)
                self.wakeAll()
            }
            group.cancelAll()
        }
    }

    /// One for all streams. What keeps it from reading does so for streams, too: they try again by themselves.
    private func look(_ poll: inout UpdatePoll) async {
        guard let look = try? await updates.lastUpdate() else { return }
        let range = poll.looked(look)
        guard let moved = try? await updates.moved(after: range.after, upTo: range.upTo, limit: 10_000) else { return }
        switch poll.read(moved.page) {
        case .some: for id in moved.ids { tell(id) }
        case .all: tellAll()
        }
    }

    /// Ends all streams, and each new one at once.
    func finish() {
        let wakes = state.withLock { state in
            state.isFinished = true
            return state.wakes
        }
        for wake in wakes.values { wake.bell.finish() }
    }

    /// Wake-ups for envelopes, joined while nobody waits for them. They end with the hub, and leave it when their stream is dropped.
    func wakeUps(for envelopeIDs: Set<String>) -> WakeUps {
        wakeUps { $0.follow(envelopeIDs, $1) }
    }

    /// The same for whatever moves.
    func wakeUpsForAll() -> WakeUps {
        wakeUps { $0.followersOfAll.insert($1) }
    }

    private func wakeUps(_ follow: (inout State, UInt64) -> Void) -> WakeUps {
        let (stream, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let wake = Wake(bell)
        let number = state.withLock { state -> UInt64? in
            guard !state.isFinished else { return nil }
            state.lastNumber += 1
            state.wakes[state.lastNumber] = wake
            follow(&state, state.lastNumber)
            return state.lastNumber
        }
        if let number {
            bell.onTermination = { [weak self] _ in self?.leave(number) }
        } else {
            bell.finish()
        }
        return WakeUps(stream: stream, wake: wake, number: number ?? 0)
    }

    /// From now on these envelopes, and no others.
    func change(_ wakeUps: WakeUps, to envelopeIDs: Set<String>) {
        state.withLock { state in
            guard state.wakes[wakeUps.number] != nil else { return }
            state.follow(envelopeIDs, wakeUps.number)
        }
    }

    var isListening: Bool { state.withLock { $0.isListening } }
    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Wakes every stream, with news that are no envelope's or none at all.
    func wakeAll() {
        for wake in state.withLock({ Array($0.wakes.values) }) { wake.bell.yield() }
    }

    private func tellAll() {
        for wake in state.withLock({ Array($0.wakes.values) }) { wake.tell() }
    }

    private func tell(_ id: String) {
        let wakes = state.withLock { state in
            (state.followers[id] ?? []).union(state.followersOfAll).compactMap { state.wakes[$0] }
        }
        for wake in wakes { wake.tell() }
    }

    private func leave(_ number: UInt64) {
        state.withLock { state in
            state.wakes[number] = nil
            state.followersOfAll.remove(number)
            state.follow([], number)
        }
    }

    private func handle(_ event: UpdateNewsEvent) {
        switch event {
        case .moved(let id): tell(id)
        case .listening:
            state.withLock { $0.isListening = true }
            tellAll()
        case .interrupted(let reason):
            state.withLock { $0.isListening = false }
            logger.warning("no news from the database; streams poll", metadata: ["error": "\(reason)"])
        }
    }
}

/// What wakes one stream.
struct WakeUps: Sendable {
    let stream: AsyncStream<Void>
    private let wake: Wake
    fileprivate let number: UInt64

    fileprivate init(stream: AsyncStream<Void>, wake: Wake, number: UInt64) {
        self.stream = stream
        self.wake = wake
        self.number = number
    }

    /// For whoever else wants the stream awake.
    var bell: AsyncStream<Void>.Continuation { wake.bell }

    /// Whether there may be updates that were not there when this was asked last. To be asked before they are read.
    func takeNews() -> Bool { wake.hasNews.exchange(false, ordering: .acquiringAndReleasing) }
}

private final class Wake: Sendable {
    let bell: AsyncStream<Void>.Continuation
    let hasNews = Atomic(false)

    init(_ bell: AsyncStream<Void>.Continuation) { self.bell = bell }

    func tell() {
        hasNews.store(true, ordering: .releasing)
        bell.yield()
    }
}

extension UpdateHub.State {
    fileprivate mutating func follow(_ envelopeIDs: Set<String>, _ number: UInt64) {
        let earlier = followed[number] ?? []
        guard envelopeIDs != earlier else { return }
        for id in earlier.subtracting(envelopeIDs) {
            followers[id]?.remove(number)
            if followers[id]?.isEmpty == true { followers[id] = nil }
        }
        for id in envelopeIDs.subtracting(earlier) { followers[id, default: []].insert(number) }
        followed[number] = envelopeIDs.isEmpty ? nil : envelopeIDs
    }
}
