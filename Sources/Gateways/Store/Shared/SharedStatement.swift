internal import Synchronization

/// One statement, and so one commit, for the items of many callers: what comes while others are under way goes with the next one. Who
/// comes alone does not wait.
///
/// Each caller hears of its own items only. A statement that fails because of what is in it has changed nothing: it is divided until
/// what the database refuses stands alone.
final class SharedStatement<Item: Sendable, Outcome: Sendable>: Sendable {
    /// All or nothing, with an outcome for each item, in their order.
    typealias Execute = @Sendable ([Item]) async throws(StoreError) -> [Outcome]

    private struct Call {
        var items: [Item]
        var continuation: CheckedContinuation<Result<[Outcome], StoreError>, Never>
    }

    private let batches: Mutex<SharedBatches<Call>>

    /// - Parameters:
    ///   - atOnce: statements under way at a time.
    ///   - weight: of a statement, unless a single caller's is heavier.
    init(atOnce: Int = 2, weight: Int = 4 << 20) { batches = Mutex(SharedBatches(atOnce: atOnce, weight: weight)) }

    /// - Parameters:
    ///   - names: what may stand in a statement only once.
    ///   - weight: of all items, in bytes.
    ///   - execute: does the same for each caller.
    func run(
        _ items: [Item], names: Set<String>, weight: Int, _ execute: @escaping Execute
    ) async throws(StoreError) -> [Outcome] {
        let result = await withCheckedContinuation { continuation in
            let call = Call(items: items, continuation: continuation)
            guard let batch = batches.withLock({ $0.add(call, names: names, weight: weight) }) else { return }
            // Nobody's own: it goes on when the caller that it began with has gone.
            Task.detached { await self.run(batch, execute) }
        }
        return try result.get()
    }

    private func run(_ first: [Call], _ execute: Execute) async {
        var batch: [Call]? = first
        while let calls = batch {
            await settle(calls, execute)
            batch = batches.withLock { $0.ended() }
        }
    }

    private func settle(_ calls: [Call], _ execute: Execute) async {
        do throws(StoreError) {
            var outcomes = try await execute(calls.flatMap(\.items))[...]
            for call in calls {
                call.continuation.resume(returning: .success(Array(outcomes.prefix(call.items.count))))
                outcomes = outcomes.dropFirst(call.items.count)
            }
        } catch {
            guard calls.count > 1, !error.isUnavailable, error.code != .closed, error.code != .cancelled else {
                for call in calls { call.continuation.resume(returning: .failure(error)) }
                return
            }
            await settle(Array(calls[..<(calls.count / 2)]), execute)
            await settle(Array(calls[(calls.count / 2)...]), execute)
        }
    }
}
