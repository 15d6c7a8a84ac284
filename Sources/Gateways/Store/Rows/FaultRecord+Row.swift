internal import Envelopes
internal import Faults

extension FaultRecord {
    static let columns = "fault, injected_by, reset_at, reset_by"

    init(_ row: some StoredRow) throws {
        self.init(
            fault: try Fault(RawJSON(Array(try row.string(0).utf8))), injectedBy: try row.optionalString(1),
            resetAt: try row.optionalMicroseconds(2), resetBy: try row.optionalString(3))
    }
}

extension FaultState {
    static let columns = "fault, reset_at IS NOT NULL"

    init(_ row: some StoredRow) throws {
        self.init(try Fault(RawJSON(Array(try row.string(0).utf8))), isReset: try row.boolean(1))
    }
}

extension Conditions {
    /// Of the columns of `faults`.
    /// - Parameter now: microseconds since 1970.
    mutating func add(_ filter: FaultFilter, now: Int64) {
        for (column, value) in [("id", filter.id), ("actor", filter.actor), ("owner", filter.owner)] {
            guard let value else { continue }
            add("\(column) = \(place(.text(value.withoutNUL)))")
        }
        if filter.isActive { add("reset_at IS NULL AND ends_at > \(place(.time(microseconds: now)))") }
    }
}
