/// Work that must end in time.
enum TimeLimit {
    struct Over: Error {}

    /// - Parameter limit: `nil` for none.
    /// - Throws: `Over` when it is over; the work is cancelled then.
    static func run(_ limit: Duration?, _ work: @escaping @Sendable () async throws -> Void) async throws {
        guard let limit else { return try await work() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await work() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw Over()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
