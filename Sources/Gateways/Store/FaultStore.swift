internal import Faults

/// The faults that were injected. Times are microseconds since 1970, by the clock of whoever asks.
protocol FaultStore: Sendable {
    /// Begins a fault, unless there is one of its id, or as many as `limit` are active.
    /// - Returns: whether it has begun.
    func inject(_ fault: Fault, by caller: String?, limit: Int, now: Int64) async throws(StoreError) -> Bool

    /// The latest first.
    func faults(_ filter: FaultFilter, limit: Int, now: Int64) async throws(StoreError) -> [FaultRecord]

    /// Ends those that are active, and says which.
    func resetFaults(_ filter: FaultFilter, by caller: String?, now: Int64) async throws(StoreError) -> [FaultRecord]

    /// What sidecars are to be told, or told again: until the time at which each ends by itself.
    func faultsToAnnounce(limit: Int, now: Int64) async throws(StoreError) -> [FaultState]

    /// One that was reset meanwhile is still to be told.
    func markAnnounced(_ faults: [FaultState], now: Int64) async throws(StoreError)

    /// Deletes those that ended before.
    func forgetFaults(endedBefore time: Int64) async throws(StoreError)
}

/// Which faults are meant. What is not said does not matter.
struct FaultFilter: Sendable, Hashable {
    var id: String?
    var actor: String?
    var owner: String?
    var isActive = false
}
