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
        var listeners: [ObjectIdentifier: any HubListener] = [:]
        /// By envelope: who follows it.
        var followers: [String: Set<ObjectIdentifier>] = [:]
        var followed: [ObjectIdentifier: Set<String>] = [:]
        /// Who follows everything.
        var followersOfAll: Set<ObjectIdentifier> = []
        var isListening = false
        var isFinished = false
        /// Waits for the last one to leave.
        var waiting: CheckedContinuation<Void, Never>?
    }

    /// Whose updates are news.
    enum Following: Sendable {
        case all
        case envelopes(Set<String>)
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
        case .all: wakeAll(hasNews: true)
        }
    }

    /// Ends all streams, and each new one at once.
    func finish() {
        let listeners = state.withLock { state in
            state.isFinished = true
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    /// Waits, after `finish()`, until all have left. To be called once.
    func emptied() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.listeners.isEmpty { state.waiting = continuation }
                return state.listeners.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
    }

    /// From now on it is woken, until it leaves.
    func join(_ listener: any HubListener, _ following: Following) {
        let isFinished = state.withLock { state in
            let key = ObjectIdentifier(listener)
            state.listeners[key] = listener
            switch following {
            case .all: state.followersOfAll.insert(key)
            case .envelopes(let ids): state.follow(ids, key)
            }
            return state.isFinished
        }
        if isFinished { listener.finish() }
    }

    func leave(_ listener: any HubListener) {
        let waiting = state.withLock { state in
            let key = ObjectIdentifier(listener)
            state.listeners[key] = nil
            state.followersOfAll.remove(key)
            state.follow([], key)
            return state.listeners.isEmpty ? state.waiting.take() : nil
        }
        waiting?.resume()
    }

    /// Wake-ups for envelopes, joined while nobody waits for them. They end with the hub, and leave it when their stream is dropped.
    func wakeUps(for envelopeIDs: Set<String>) -> WakeUps {
        let (stream, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let wake = Wake(bell)
        bell.onTermination = { [weak self] _ in self?.leave(wake) }
        join(wake, .envelopes(envelopeIDs))
        return WakeUps(stream: stream, wake: wake)
    }

    /// From now on these envelopes, and no others.
    func change(_ wakeUps: WakeUps, to envelopeIDs: Set<String>) { change(wakeUps.wake, to: envelopeIDs) }

    func change(_ listener: any HubListener, to envelopeIDs: Set<String>) {
        state.withLock { state in
            let key = ObjectIdentifier(listener)
            guard state.listeners[key] != nil else { return }
            state.follow(envelopeIDs, key)
        }
    }

    var isListening: Bool { state.withLock { $0.isListening } }
    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Wakes every stream, with news that are no envelope's or none at all.
    func wakeAll() { wakeAll(hasNews: false) }

    private func wakeAll(hasNews: Bool) {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.wake(hasNews: hasNews) }
    }

    private func tell(_ id: String) {
        let listeners = state.withLock { state in
            (state.followers[id] ?? []).union(state.followersOfAll).compactMap { state.listeners[$0] }
        }
        for listener in listeners { listener.wake(hasNews: true) }
    }

    private func handle(_ event: UpdateNewsEvent) {
        switch event {
        case .moved(let id): tell(id)
        case .listening:
            state.withLock { $0.isListening = true }
            wakeAll(hasNews: true)
        case .interrupted(let reason):
            state.withLock { $0.isListening = false }
            logger.warning("no news from the database; streams poll", metadata: ["error": "\(reason)"])
        }
    }
}

/// Who is woken. Called from anywhere, and at the same time.
protocol HubListener: AnyObject, Sendable {
    /// - Parameter hasNews: there may be updates that were not there the last time.
    func wake(hasNews: Bool)
    /// The gateway stops.
    func finish()
}

/// What wakes a task that waits for it.
struct WakeUps: Sendable {
    let stream: AsyncStream<Void>
    fileprivate let wake: Wake

    fileprivate init(stream: AsyncStream<Void>, wake: Wake) {
        self.stream = stream
        self.wake = wake
    }

    /// For whoever else wants the stream awake.
    var bell: AsyncStream<Void>.Continuation { wake.bell }

    /// Whether there may be updates that were not there when this was asked last. To be asked before they are read.
    func takeNews() -> Bool { wake.hasNews.exchange(false, ordering: .acquiringAndReleasing) }
}

private final class Wake: HubListener {
    let bell: AsyncStream<Void>.Continuation
    let hasNews = Atomic(false)

    init(_ bell: AsyncStream<Void>.Continuation) { self.bell = bell }

    func wake(hasNews: Bool) {
        if hasNews { self.hasNews.store(true, ordering: .releasing) }
        bell.yield()
    }

    func finish() { bell.finish() }
}

extension UpdateHub.State {
    fileprivate mutating func follow(_ envelopeIDs: Set<String>, _ key: ObjectIdentifier) {
        let earlier = followed[key] ?? []
        guard envelopeIDs != earlier else { return }
        for id in earlier.subtracting(envelopeIDs) {
            followers[id]?.remove(key)
            if followers[id]?.isEmpty == true { followers[id] = nil }
        }
        for id in envelopeIDs.subtracting(earlier) { followers[id, default: []].insert(key) }
        followed[key] = envelopeIDs.isEmpty ? nil : envelopeIDs
    }
}
