/// Finds the envelopes that have moved though nobody may have told of them, as a connection that is half open tells nothing. Pure: what
/// was read in, who is to look out.
///
/// As in `SettledReading`, what was read counts once all who could have written there have ended.
struct UpdatePoll: Sendable, Hashable {
    /// Everybody has been told of updates up to this one; `nil` before the first look.
    private var last: Int64?
    /// Before the first page that counts, updates below `last` may come, too.
    private var isSure = false
    private var upTo: Int64 = 0
    private var waitsFor: Int64?

    /// Who has to look for updates.
    enum Moved: Sendable, Hashable {
        case all
        /// Those that were read.
        case some
    }

    /// - Returns: which updates are to be read.
    mutating func looked(_ look: SettledReading.Look) -> (after: Int64, upTo: Int64) {
        let after = last ?? look.number
        last = after
        upTo = max(after, look.number)
        waitsFor = look.laterWriter
        return (after, upTo)
    }

    mutating func read(_ page: SettledReading.Page) -> Moved {
        let moved: Moved = isSure && !page.isFull ? .some : .all
        if let waitsFor, let oldest = page.oldestWriter, oldest < waitsFor { return moved }
        isSure = true
        last = upTo
        return moved
    }
}
