/// What a client wants to hear of, and what it has heard. Pure: the present in, the news out.
///
/// Compares states instead of counting events: whatever was missed in between, the next look finds it.
struct ChangeWatch: Sendable, Hashable {
    /// Of the tools that the client has been told of; `nil` where it doesn't ask.
    var toolsVersion: Int?
    /// By envelope: when the change was that the client has been told of, in microseconds since 1970.
    private(set) var resources: [String: Int64] = [:]
    private(set) var tasks: [String: Int64] = [:]

    enum Change: Sendable, Hashable {
        case tools
        /// An envelope's id.
        case resource(String)
        case task(String)
    }

    var envelopeIDs: Set<String> { Set(resources.keys).union(tasks.keys) }

    /// - Parameter last: when the envelope has changed last, so that the next change is news.
    mutating func addResource(_ envelopeID: String, last: Int64) { resources[envelopeID] = last }
    mutating func addTask(_ envelopeID: String, last: Int64) { tasks[envelopeID] = last }
    mutating func removeResource(_ envelopeID: String) { resources[envelopeID] = nil }

    /// - Parameter lastChanges: by envelope. Only whether they differ counts: clocks may be set back.
    /// - Returns: in a steady order.
    mutating func look(lastChanges: [String: Int64], toolsVersion: Int) -> [Change] {
        var changes: [Change] = []
        if let known = self.toolsVersion, known != toolsVersion {
            self.toolsVersion = toolsVersion
            changes.append(.tools)
        }
        for (id, last) in lastChanges.sorted(by: { $0.key < $1.key }) {
            if let known = resources[id], known != last {
                resources[id] = last
                changes.append(.resource(id))
            }
            if let known = tasks[id], known != last {
                tasks[id] = last
                changes.append(.task(id))
            }
        }
        return changes
    }
}
