/// What a client wants to hear of, and what it has heard. Pure: the present in, the news out.
///
/// Compares states instead of counting events: whatever was missed in between, the next look finds it.
struct ChangeWatch: Sendable, Hashable {
    /// What the client wants to hear of when it changes.
    enum List: String, Sendable, CaseIterable {
        case tools, prompts, resources
    }

    enum Subscription: Sendable, Hashable {
        /// - last: when it has changed last, so that the next change is news.
        case envelope(String, last: Int64)
        /// A URI of the tool files.
        case document(String)
    }

    enum Change: Sendable, Hashable {
        case list(List)
        /// A URI.
        case resource(String)
        /// An envelope's id.
        case task(String)
    }

    let lists: Set<List>
    /// As the client has been told of it.
    private var catalogue: ToolCatalogue
    /// By envelope: when the change was that the client has been told of, in microseconds since 1970.
    private(set) var envelopes: [String: Int64] = [:]
    /// URIs.
    private(set) var documents: Set<String> = []
    private(set) var tasks: [String: Int64] = [:]

    init(lists: Set<List>, _ catalogue: ToolCatalogue) {
        self.lists = lists
        self.catalogue = catalogue
    }

    /// Whose updates are of interest.
    var envelopeIDs: Set<String> { Set(envelopes.keys).union(tasks.keys) }
    var resourceCount: Int { envelopes.count + documents.count }
    var uris: [String] { (envelopes.keys.map(EnvelopeResource.uri) + documents).sorted() }

    mutating func add(_ subscription: Subscription) {
        switch subscription {
        case .envelope(let id, let last): envelopes[id] = envelopes[id] ?? last
        case .document(let uri): documents.insert(uri)
        }
    }

    mutating func remove(envelope id: String) { envelopes[id] = nil }

    /// - Returns: whether it was there.
    mutating func remove(document uri: String) -> Bool { documents.remove(uri) != nil }

    /// - Parameter last: when it has changed last, so that the next change is news.
    mutating func add(task id: String, last: Int64) { tasks[id] = last }
    mutating func remove(task id: String) { tasks[id] = nil }

    /// The tasks of which `look` will have news.
    func movedTasks(_ lastChanges: [String: Int64]) -> [String] {
        tasks.filter { id, known in known != lastChanges[id] ?? known }.map(\.key)
    }

    /// - Parameter lastChanges: by envelope. Only whether they differ counts: clocks may be set back.
    /// - Returns: in a steady order.
    mutating func look(lastChanges: [String: Int64], catalogue: ToolCatalogue) -> [Change] {
        var changes: [Change] = []
        if catalogue != self.catalogue {
            for list in List.allCases where lists.contains(list) && catalogue.has(list, otherThan: self.catalogue) {
                changes.append(.list(list))
            }
            for uri in documents.sorted()
            where catalogue.resource(at: uri)?.resource != self.catalogue.resource(at: uri)?.resource {
                changes.append(.resource(uri))
            }
            self.catalogue = catalogue
        }
        for (id, last) in lastChanges.sorted(by: { $0.key < $1.key }) {
            if let known = envelopes[id], known != last {
                envelopes[id] = last
                changes.append(.resource(EnvelopeResource.uri(id)))
            }
            if let known = tasks[id], known != last {
                tasks[id] = last
                changes.append(.task(id))
            }
        }
        return changes
    }
}

extension ToolCatalogue {
    fileprivate func has(_ list: ChangeWatch.List, otherThan other: ToolCatalogue) -> Bool {
        switch list {
        case .tools: tools != other.tools
        case .prompts: prompts != other.prompts
        // Which ones there are; what they say is told to those who have subscribed to them.
        case .resources: resources.map(\.listing) != other.resources.map(\.listing)
        }
    }
}

extension Resource {
    fileprivate var listing: Resource {
        var listing = self
        listing.body = .data("")
        return listing
    }
}
