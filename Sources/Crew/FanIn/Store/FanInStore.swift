internal import ActorKit
internal import EventLoops
internal import PostgreSQL

/// Where groups are kept. Each call does all that it says, or nothing, and may be made again when it is not known which.
protocol FanInStore: Sendable {
    /// Returns when the store is there, with its tables.
    /// - Parameter patience: how long one that is only just starting is waited for.
    /// - Throws: `StartError` with what is to be done.
    func open(log: Log, patience: Duration) async throws

    /// Takes a piece into its group, where there is none yet begins it, and decides what becomes of the group when the
    /// piece is its first.
    func arrive(_ piece: FanInPiece, _ payload: RawJSON) async throws(FanInStoreError) -> FanInGroup

    /// The payloads of a group, byte for byte, in the order of their places, with a null for each that is missing. Once a
    /// group is released it always gives the same.
    func list(_ piece: FanInPiece) async throws(FanInStoreError) -> RawJSON

    /// Places of a group where there is no piece, ascending.
    func missing(_ piece: FanInPiece) async throws(FanInStoreError) -> [Int]

    /// Groups that nobody asks for any more: a while after the decision, and long after the deadline where piece 0 never
    /// came to hear of it.
    /// - Returns: how many went, `limit` at most.
    func deleteOutdated(limit: Int) async throws(FanInStoreError) -> Int
}

/// What went wrong between fan-in and its store; safe to log.
struct FanInStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Whether it is about what was to be stored: the same will be refused again.
    let isAboutValues: Bool
    let description: String
}

extension FanInSettings {
    func makeStore() -> any FanInStore {
        switch storage {
        case .postgreSQL(let pool):
            PostgreSQLFanInStore(pool: Pool(pool, on: EventLoop(name: "troupe-fan-in")), limits: limits)
        case .file(let path): SQLiteFanInStore(path: path, limits: limits)
        }
    }
}

extension RawJSON {
    /// What stores have put together from pieces that were let in one by one.
    init(list bytes: [UInt8]) throws(JSONError) {
        try self.init(bytes, limits: JSONLimits(size: .max, nesting: 4096))
    }
}
