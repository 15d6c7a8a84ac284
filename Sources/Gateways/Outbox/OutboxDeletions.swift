internal import Logging

/// Deletes confirmed messages from the outbox, many with one statement: what is confirmed while a deletion is under way goes with the
/// next one.
actor OutboxDeletions {
    private let store: any OutboxStore
    private let logger: Logger
    private var confirmed: [Int64] = []
    private var isDeleting = false

    init(store: any OutboxStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func delete(_ rowID: Int64) async {
        confirmed.append(rowID)
        guard !isDeleting else { return }
        isDeleting = true
        while !confirmed.isEmpty {
            let batch = confirmed
            confirmed.removeAll(keepingCapacity: true)
            do throws(StoreError) {
                try await store.deleteMessages(batch)
            } catch {
                // They are sent once more when their grace is over: at least once.
                logger.warning(
                    "confirmed messages stay in the outbox", metadata: ["count": "\(batch.count)", "error": "\(error)"])
            }
        }
        isDeleting = false
    }
}
