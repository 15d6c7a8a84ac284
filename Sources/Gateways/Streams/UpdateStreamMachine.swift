/// What an event stream does next. Pure: pages of history, wake-ups and time in, actions out.
struct UpdateStreamMachine: Sendable, Hashable {
    /// The last update that was sent, 0 for none.
    private(set) var lastID: Int64
    private var isFinished = false

    init(after lastID: Int64) { self.lastID = lastID }

    enum Action: Sendable, Hashable {
        /// Read the history after this update.
        case read(after: Int64)
        /// Send a comment so that nobody between takes the connection for dead.
        case sendKeepAlive
        case wait
        case finish
    }

    /// The stream has subscribed: whatever is written from now on wakes it.
    func subscribed() -> Action { .read(after: lastID) }

    /// Something may have been written, or it is time to look.
    func woken() -> Action { isFinished ? .finish : .read(after: lastID) }

    /// Nothing was sent for a whole keep-alive interval.
    func quietForLong() -> Action { isFinished ? .finish : .sendKeepAlive }

    /// A page has been read and sent.
    /// - Parameters:
    ///   - ids: of its updates, in order.
    ///   - isFull: there may be more.
    ///   - isFinal: the envelope had ended when the page was read.
    ///   - endsInPage: the final update is among them.
    mutating func sent(ids: [Int64], isFull: Bool, isFinal: Bool, endsInPage: Bool) -> Action {
        lastID = max(lastID, ids.last ?? lastID)
        if endsInPage || (isFinal && !isFull) {
            isFinished = true
            return .finish
        }
        return isFull ? .read(after: lastID) : .wait
    }

    /// The envelope has been deleted.
    mutating func gone() -> Action {
        isFinished = true
        return .finish
    }
}
