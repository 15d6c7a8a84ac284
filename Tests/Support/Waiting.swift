/// Waits for a condition, and says what it waited for when it never came.
public func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    var looks = 0
    // On a machine so busy that nobody gets to look, the time alone says nothing.
    while ContinuousClock.now < end || looks < 50 {
        if try await condition() { return }
        looks += 1
        try await Task.sleep(for: .milliseconds(10))
    }
    throw NeverHappened(what: what, limit: limit)
}

/// Runs `body`, but no longer than `limit`.
public func within<Value: Sendable>(
    _ limit: Duration = .seconds(20), _ what: String = "an answer", _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw NeverHappened(what: what, limit: limit)
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw NeverHappened(what: what, limit: limit) }
        return value
    }
}

public struct NeverHappened: Error, CustomStringConvertible {
    let what: String
    let limit: Duration
    public var description: String { "\(what): not within \(limit)" }
}
