/// Reads the updates of many envelopes in the order of their numbers, without a gap. Pure: what was read in, what is sure out.
///
/// Numbers are given before they are committed: 6 may be there to read while 5 is still on its way, and who went on behind 6 would
/// never see 5. So a reading goes up to a number that had been given before it began, and counts once all transactions of that time
/// have ended (each takes its transaction's number before it takes an update's).
struct SettledReading: Sendable, Hashable {
    /// All up to this one have been read.
    private(set) var last: Int64
    /// How far the reading under way goes.
    private var upTo: Int64?
    /// Transactions before this one may still write below `upTo`; `nil` where nobody can.
    private var waitsFor: Int64?

    /// Numbers in one page: a rare kind of update is not searched for in all of history at once.
    static let window: Int64 = 50_000

    init(after last: Int64) { self.last = last }

    private var end: Int64 { min(upTo ?? last, last + Self.window) }

    enum Action: Sendable, Hashable {
        /// Find out which number was given last.
        case look
        /// Read the updates behind one number up to another.
        case read(after: Int64, upTo: Int64)
        /// All is read.
        case wait
    }

    /// A page of updates.
    struct Page: Sendable, Hashable {
        var lastID: Int64?
        /// There may be more up to the same number.
        var isFull: Bool
        /// All transactions before this one had ended when it was read; `nil` where writers take turns.
        var oldestWriter: Int64?
    }

    /// Which number was given last.
    struct Look: Sendable, Hashable {
        var number: Int64
        /// A transaction that began only then: who has taken the number, or a lower one, stands before it. `nil` where writers take
        /// turns: a number is given only when those before it are committed.
        var laterWriter: Int64?
    }

    var next: Action {
        guard let upTo else { return .look }
        return last < upTo ? .read(after: last, upTo: end) : .wait
    }

    mutating func looked(_ look: Look) {
        upTo = max(last, look.number)
        waitsFor = look.laterWriter
    }

    /// - Returns: whether the page is sure. Otherwise somebody is still writing: the same is to be read again soon.
    mutating func read(_ page: Page) -> Bool {
        if let waitsFor, let oldest = page.oldestWriter, oldest < waitsFor { return false }
        last = page.isFull ? page.lastID ?? last : end
        return true
    }

    /// There may be more than was given when the last reading began.
    mutating func woken() { upTo = nil }
}
