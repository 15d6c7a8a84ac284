internal import DequeModule
internal import Envelopes

/// The envelopes that gateways have told to be cancelled: the latest of them. One that is forgotten here is told again
/// when it is next reported on.
struct Cancellations {
    private var ids: Set<String> = []
    /// Those that were taken back, be their parents cancelled or not.
    private var exceptions: Set<String> = []
    private var inOrder: Deque<String> = []
    private let capacity: Int

    init(capacity: Int = 100_000) { self.capacity = capacity }

    mutating func remove(_ oldIDs: [String]) {
        if exceptions.count < capacity { exceptions.formUnion(oldIDs) }
        let known = Set(oldIDs).intersection(ids)
        if known.isEmpty { return }
        ids.subtract(known)
        inOrder.removeAll(where: known.contains)
    }

    mutating func insert(_ newIDs: [String]) {
        exceptions.subtract(newIDs)
        for id in newIDs where ids.insert(id).inserted {
            inOrder.append(id)
            if inOrder.count > capacity, let oldest = inOrder.popFirst() { ids.remove(oldest) }
        }
    }

    /// Whether it is cancelled, itself or with the envelope that fanned it out.
    func cover(_ envelope: Envelope) -> Bool {
        if ids.isEmpty || exceptions.contains(envelope.id) { return false }
        return ids.contains(envelope.id) || envelope.parentID.map(ids.contains) == true
    }
}
