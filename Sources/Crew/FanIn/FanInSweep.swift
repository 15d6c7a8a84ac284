internal import ActorKit

/// Deletes outdated groups in the background. Every replica does; none waits for another.
struct FanInSweep: Sendable {
    let store: any FanInStore
    let log: Log
    var interval = Duration.seconds(60)

    /// Few at a time: a group may have thousands of pieces, and no statement may take long.
    private static let batch = 20

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            // Random, so that replicas that started together don't stay together.
            try? await Task.sleep(for: interval * Double.random(in: 0.5...1))
            await sweep()
        }
    }

    func sweep() async {
        do throws(FanInStoreError) {
            var count = 0
            repeat {
                let deleted = try await store.deleteOutdated(limit: Self.batch)
                count += deleted
                if deleted < Self.batch { break }
            } while !Task.isCancelled
            if count > 0 { log.info("outdated groups deleted", ["count": "\(count)"]) }
        } catch {
            log.warning("outdated groups stay for now", ["error": "\(error)"])
        }
    }
}
