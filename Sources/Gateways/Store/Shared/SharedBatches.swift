internal import DequeModule

/// Which calls go together. Pure: calls and ends in, batches out.
struct SharedBatches<Call> {
    private struct Entry {
        var call: Call
        var names: Set<String>
        var weight: Int
    }

    /// Batches under way at a time.
    private let limit: Int
    /// Of a batch, unless a single call is heavier.
    private let weightLimit: Int
    private var waiting = Deque<Entry>()
    private var underWay = 0

    init(atOnce limit: Int, weight weightLimit: Int) {
        self.limit = limit
        self.weightLimit = weightLimit
    }

    /// - Parameter names: calls that have one in common don't go together.
    /// - Returns: a batch that is to begin now; `nil` where the call waits for the end of another.
    mutating func add(_ call: Call, names: Set<String>, weight: Int) -> [Call]? {
        waiting.append(Entry(call: call, names: names, weight: weight))
        guard underWay < limit else { return nil }
        underWay += 1
        return next()
    }

    /// A batch has ended.
    /// - Returns: the one that is to begin now in its place.
    mutating func ended() -> [Call]? {
        if waiting.isEmpty {
            underWay -= 1
            return nil
        }
        return next()
    }

    /// In the order in which they came.
    private mutating func next() -> [Call] {
        var batch: [Call] = []
        var names: Set<String> = []
        var weight = 0
        while let entry = waiting.first {
            guard batch.isEmpty || (weight + entry.weight <= weightLimit && names.isDisjoint(with: entry.names)) else {
                break
            }
            waiting.removeFirst()
            batch.append(entry.call)
            names.formUnion(entry.names)
            weight += entry.weight
        }
        return batch
    }
}
