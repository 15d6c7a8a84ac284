internal import EventLoops

/// What an event stream does next. Pure: pages of history, wake-ups and time in, actions out.
struct UpdateStreamMachine: Sendable, Hashable {
    /// The last update that was sent, 0 for none.
    private(set) var lastID: Int64
    /// After how much silence a comment is sent, so that nobody on the way takes the connection for dead.
    private let quietLimit: Duration
    private var lastSent: MonotonicTime
    /// What the last wake-up told of could not be read.
    private var isBehind = false

    init(after lastID: Int64, quietLimit: Duration, now: MonotonicTime) {
        self.lastID = lastID
        self.quietLimit = quietLimit
        lastSent = now
    }

    enum Action: Sendable, Hashable {
        /// Read the history after this update.
        case read(after: Int64)
        case sendKeepAlive
        case wait
        case finish
    }

    /// A page has been read and sent.
    struct Page: Sendable, Hashable {
        /// Of its updates, in order.
        var ids: [Int64]
        /// There may be more.
        var isFull: Bool
        /// The envelope had ended when the page was read. One that was reopened has a final update in its history, and goes on.
        var isFinal: Bool
    }

    /// The stream has subscribed: whatever is written from now on wakes it. Or it was woken: something may have been written.
    func woken() -> Action { .read(after: lastID) }

    /// It was woken though nothing is known to have been written.
    func ticked(now: MonotonicTime) -> Action { isBehind ? .read(after: lastID) : quiet(now: now) }

    mutating func sent(_ page: Page, now: MonotonicTime) -> Action {
        isBehind = false
        lastID = max(lastID, page.ids.last ?? lastID)
        if !page.ids.isEmpty { lastSent = now }
        if page.isFull { return .read(after: lastID) }
        return page.isFinal ? .finish : quiet(now: now)
    }

    /// The history can't be read just now.
    mutating func databaseIsAway(now: MonotonicTime) -> Action {
        isBehind = true
        return quiet(now: now)
    }

    mutating func sentKeepAlive(now: MonotonicTime) -> Action {
        lastSent = now
        return .wait
    }

    private func quiet(now: MonotonicTime) -> Action {
        lastSent.duration(to: now) >= quietLimit ? .sendKeepAlive : .wait
    }
}
