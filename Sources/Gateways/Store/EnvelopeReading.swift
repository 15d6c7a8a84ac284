protocol EnvelopeReading: Sendable {
    /// With payload and result; `nil` when there is no such envelope.
    func envelope(_ id: String) async throws(StoreError) -> EnvelopeRecord?

    /// Envelopes without payload and result, the newest first unless the filter says otherwise: stable while new ones come in.
    /// - Parameter place: those behind it.
    func envelopes(
        _ filter: EnvelopeFilter, after place: EnvelopePlace?, limit: Int
    ) async throws(StoreError) -> [EnvelopeRecord]

    /// Those of the list that there are, with results, without payloads.
    func results(of ids: [String]) async throws(StoreError) -> [EnvelopeRecord]

    /// Ids that begin so, among those of the last 1000 envelopes.
    func recentIDs(beginning prefix: String, limit: Int) async throws(StoreError) -> [String]

    /// When each of the envelopes that there are has changed last, in microseconds since 1970. What a handler tells while
    /// it works is no change, but for progress.
    func lastChanges(of ids: Set<String>) async throws(StoreError) -> [String: Int64]

    /// How many of an envelope's children have which status, by its name; of more than `limit` children, some of them.
    func childCounts(of parentID: String, limit: Int) async throws(StoreError) -> [(status: String, count: Int)]

    /// The last reports of an envelope's actors, in order: what its steps are made from.
    func stepUpdates(of id: String, limit: Int) async throws(StoreError) -> [EnvelopeSteps.Update]

    /// Whether it is worth while to work on an envelope: it is there, not final, and before its deadline.
    func isActive(_ id: String) async throws(StoreError) -> Bool

    func exists(_ id: String) async throws(StoreError) -> Bool

    /// An envelope and all that has come out of it, at most `limit`; whether all of them have ended.
    func family(of id: String, limit: Int) async throws(StoreError) -> (ids: [String], hasEnded: Bool)
}

extension EnvelopeReading {
    /// From the first on.
    func envelopes(_ filter: EnvelopeFilter, limit: Int) async throws(StoreError) -> [EnvelopeRecord] {
        try await envelopes(filter, after: nil, limit: limit)
    }
}

/// A place in the list of envelopes, the newest first.
struct EnvelopePlace: Sendable, Hashable {
    /// Microseconds since 1970.
    var createdAt: Int64
    var id: String
}

/// Which envelopes a list has. What is not said does not matter.
struct EnvelopeFilter: Sendable, Hashable {
    var status: EnvelopeStatus?
    /// Where it is, or has ended.
    var actor: String?
    var tool: String?
    var parentID: String?
    /// Created then or later, microseconds since 1970.
    var since: Int64?
    /// Created earlier.
    var before: Int64?
    /// The oldest first.
    var isAscending = false
}
