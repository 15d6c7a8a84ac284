import Envelopes

/// What is known of the envelopes that somebody watches, and of all that comes out of them. Pure: events in.
struct WatchBoard: Sendable {
    struct Entry: Sendable {
        let id: String
        /// 0 for those that somebody has named.
        let depth: Int
        /// What tells it from what it came out of.
        let suffix: String
        var status = EnvelopeStatus.pending
        /// 0...100
        var percent: Double = 0
        var message = ""
        var actor: String?
        /// From 1.
        var attempt: Int?
        /// ISO 8601, while it waits for a retry.
        var nextAttemptAt: String?
        var error: String?
        /// Microseconds since 1970, of the first and the last event.
        var startedAt: Int64?
        var changedAt: Int64?
        /// The last event that was taken.
        fileprivate var number = 0
        /// When the actor at work has begun, and how much it can add: 0...100.
        fileprivate var share: (start: Double, size: Double) = (0, 0)
    }

    /// Those that somebody has named.
    let rootIDs: [String]
    private var byID: [String: Entry] = [:]
    private var children: [String: [String]] = [:]
    /// Why there is no news just now, by the root.
    private var troubles: [String: String] = [:]

    init(_ ids: [String]) {
        rootIDs = ids.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        for id in rootIDs { byID[id] = Entry(id: id, depth: 0, suffix: id) }
    }

    /// - Parameter root: whose stream it came from.
    /// - Returns: whether it was news; two streams may tell the same.
    mutating func take(_ event: EnvelopeEvent, of root: String) -> Bool {
        var entry = byID[event.envelopeID] ?? child(event, of: root)
        guard event.number > entry.number || event.number == 0 else { return false }
        entry.take(event)
        byID[entry.id] = entry
        return true
    }

    /// A parent is heard of before its children; where it is not, they stand below the root.
    private mutating func child(_ event: EnvelopeEvent, of root: String) -> Entry {
        let id = event.envelopeID
        let known = event.parentID.flatMap { byID[$0] } ?? byID[root]
        children[known?.id ?? root, default: []].append(id)
        let suffix = known.map { id.hasPrefix($0.id) ? "…" + id.dropFirst($0.id.count) : id } ?? id
        return Entry(id: id, depth: (known?.depth ?? 0) + 1, suffix: suffix)
    }

    mutating func setTrouble(_ trouble: String?, of root: String) { troubles[root] = trouble }

    /// What keeps news from coming, once.
    var trouble: String? { troubles.values.min() }

    var roots: [Entry] { rootIDs.compactMap { byID[$0] } }

    /// All of them in the order of a tree, children behind their parent.
    var entries: [Entry] { rootIDs.flatMap(family) }

    private func family(of id: String) -> [Entry] {
        (byID[id].map { [$0] } ?? []) + (children[id] ?? []).flatMap(family)
    }

    // MARK: The end

    /// Whether an envelope and all that is known to have come out of it have ended.
    func hasEnded(_ root: String) -> Bool { family(of: root).allSatisfy(\.status.isFinal) }

    /// The worst of all.
    var exit: CommandExit {
        if byID.values.contains(where: { $0.status == .failed }) { return .failed }
        return byID.values.contains { $0.status == .cancelled } ? .cancelled : .ok
    }
}

extension WatchBoard.Entry {
    fileprivate mutating func take(_ event: EnvelopeEvent) {
        number = max(number, event.number)
        let time = Timestamp.microseconds(parsing: event.time)
        startedAt = startedAt ?? time
        changedAt = time ?? changedAt
        switch event.content {
        case .update(let update):
            status = update.status
            percent = update.status == .succeeded ? 100 : update.percent ?? percent
            // A handler moves the second half of its actor's share.
            share = (percent, update.actors.isEmpty ? 0 : 50 / Double(update.actors.count))
            message = update.message
            error = update.error ?? (update.status == .retrying ? error : nil)
            actor = event.actor ?? actor
            attempt = event.attempt
            nextAttemptAt = update.nextAttemptAt
        case .partial(let partial) where partial.type == "progress":
            message = partial.data["message"]?.string ?? message
            let done = min(max(partial.data["percent"]?.double ?? 0, 0), 100) / 100
            percent = max(percent, min(100, share.start + done * share.size))
            actor = event.actor ?? actor
        case .partial: break
        }
    }
}
