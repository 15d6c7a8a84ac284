protocol UpdateReading: Sendable {
    /// A snapshot: an envelope that reads as ended has its final update in the same page or in an earlier one.
    /// - Returns: `nil` when there is no such envelope.
    /// - Parameter withPartials: whether what handlers tell while they work is wanted, too.
    func updates(
        of id: String, after last: Int64, limit: Int, withPartials: Bool
    ) async throws(StoreError) -> UpdatePage?

    /// The number that was given to an update last, be it committed or not, and who may still write below it.
    func lastUpdate() async throws(StoreError) -> SettledReading.Look

    /// Updates of many envelopes, in the order of their numbers, as they are committed so far.
    func updates(
        _ filter: UpdateFilter, after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (updates: [EnvelopeUpdate], page: SettledReading.Page)

    /// Whose updates these numbers are, as they are committed so far; of more than `limit` envelopes, some.
    func moved(
        after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (ids: [String], page: SettledReading.Page)
}

extension UpdateReading {
    func updates(of id: String, after last: Int64, limit: Int) async throws(StoreError) -> UpdatePage? {
        try await updates(of: id, after: last, limit: limit, withPartials: true)
    }
}

/// A piece of an envelope's history.
struct UpdatePage: Sendable {
    /// In order, all with ids above the one that was asked for.
    var updates: [EnvelopeUpdate]
    /// Whether there may be more.
    var isFull: Bool
    /// Whether the envelope had ended when the page was read: then a page that isn't full is the last.
    var isFinal: Bool
}

/// Whose updates a stream has. What is not said does not matter.
struct UpdateFilter: Sendable, Hashable {
    /// An envelope and all that has come out of it.
    var familyOf: String?
    /// Of the update.
    var status: EnvelopeStatus?
    var actor: String?
    /// Of the envelope.
    var tool: String?
    var parentID: String?
    /// With what handlers tell while they work.
    var hasPartials = false
}
