/// Histories for streams: what many want to read at the same time is read once.
final class SharedUpdateReading: UpdateReading {
    private let store: any UpdateReading
    private let looks = SharedReads<Look, SettledReading.Look>()
    private let histories = SharedReads<History, UpdatePage?>()
    private let pages = SharedReads<Page, (updates: [EnvelopeUpdate], page: SettledReading.Page)>()

    init(_ store: any UpdateReading) { self.store = store }

    private struct Look: Hashable {}

    private struct History: Hashable {
        var id: String
        var last: Int64
        var limit: Int
        var withPartials: Bool
    }

    private struct Page: Hashable {
        var filter: UpdateFilter
        var last: Int64
        var end: Int64
        var limit: Int
    }

    func updates(
        of id: String, after last: Int64, limit: Int, withPartials: Bool
    ) async throws(StoreError) -> UpdatePage? {
        try await histories.value(of: History(id: id, last: last, limit: limit, withPartials: withPartials)) {
            [store] () async throws(StoreError) in
            try await store.updates(of: id, after: last, limit: limit, withPartials: withPartials)
        }
    }

    func lastUpdate() async throws(StoreError) -> SettledReading.Look {
        try await looks.value(of: Look()) { [store] () async throws(StoreError) in try await store.lastUpdate() }
    }

    func updates(
        _ filter: UpdateFilter, after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (updates: [EnvelopeUpdate], page: SettledReading.Page) {
        try await pages.value(of: Page(filter: filter, last: last, end: end, limit: limit)) {
            [store] () async throws(StoreError) in
            try await store.updates(filter, after: last, upTo: end, limit: limit)
        }
    }

    /// One asks for it at a time.
    func moved(
        after last: Int64, upTo end: Int64, limit: Int
    ) async throws(StoreError) -> (ids: [String], page: SettledReading.Page) {
        try await store.moved(after: last, upTo: end, limit: limit)
    }
}
