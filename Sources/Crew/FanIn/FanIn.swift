internal import ActorKit
internal import EventLoops
internal import FoundationEssentials

/// Puts the children of a fan-out together again: one envelope goes on, with the list of their payloads.
///
/// Piece 0 carries the list: it has the id of the envelope that fanned out. Until the others are there it goes round between
/// its queue and this actor, so the wait itself is in the broker, where it survives whatever happens here. The other
/// pieces are kept in the database, and their envelopes end here.
struct FanIn: EnvelopeHandler {
    private let store: any FanInStore
    /// How long a call waits for a database that is away, before its envelope waits in the broker.
    private let patience: Duration

    init() async throws {
        let settings = try FanInSettings(environment: ProcessInfo.processInfo.environment)
        let store = settings.makeStore()
        try await store.open(log: Log(), patience: .seconds(30))
        Task { await FanInSweep(store: store, log: Log()).run() }
        self.init(store: store)
    }

    init(store: any FanInStore, patience: Duration = .seconds(5)) {
        self.store = store
        self.patience = patience
    }

    func handle(_ envelope: Envelope, _ context: Context) async throws -> [Envelope] {
        do {
            return try await answer(envelope, context.log)
        } catch is DatabaseAway {
            // Its attempts are for what is wrong with it. That is nothing, so it waits where it is safe.
            return [envelope.returning(after: .seconds(10) * Double.random(in: 0.5...1.5))]
        } catch let error as FanInError {
            throw HandlerError(type: error.code.rawValue, error.message)
        }
    }

    private func answer(_ envelope: Envelope, _ log: Log) async throws -> [Envelope] {
        guard let piece = try FanInPiece(envelope) else {
            return [envelope.released(RawJSON(array: [envelope.payload]), as: nil)]
        }
        let group = try await patiently(log) { () async throws(FanInStoreError) in
            try await store.arrive(piece, envelope.payload)
        }
        switch FanInDecision(piece, in: group) {
        case .collect:
            log.debug("collected", ["group": piece.group])
            return []
        case .hold(let pause):
            log.debug("waiting", ["group": piece.group, "arrived": "\(group.arrived) of \(group.count)"])
            return [envelope.returning(after: pause)]
        case .release(let isPartial):
            let missing = isPartial ? try await self.missing(piece, log) : []
            let list = try await patiently(log) { () async throws(FanInStoreError) in try await store.list(piece) }
            log.info("released", ["group": piece.group, "missing": "\(missing.count) of \(piece.count)"])
            return [envelope.released(list, as: piece, missing: missing)]
        case .fail:
            throw FanInError.incomplete(piece, missing: try await missing(piece, log), after: group.waited)
        case .refuse(let error):
            throw error
        }
    }

    private func missing(_ piece: FanInPiece, _ log: Log) async throws -> [Int] {
        try await patiently(log) { () async throws(FanInStoreError) in try await store.missing(piece) }
    }

    // MARK: The database

    private struct DatabaseAway: Error {}

    /// - Throws: `DatabaseAway` when it stays away; `FanInError` `.storage` for what it will never take.
    private func patiently<Value: Sendable>(
        _ log: Log, _ statement: () async throws(FanInStoreError) -> Value
    ) async throws -> Value {
        let end = MonotonicTime.now.advanced(by: patience)
        var backoff = Backoff(ceiling: .seconds(1))
        while true {
            do throws(FanInStoreError) {
                return try await statement()
            } catch {
                if error.isAboutValues { throw FanInError(.storage, "the database does not take it: \(error)") }
                if backoff.tries == 0 { log.warning("the database does not answer", ["error": "\(error)"]) }
            }
            try Task.checkCancellation()
            guard .now < end else { throw DatabaseAway() }
            try await Task.sleep(for: backoff.next())
        }
    }
}

extension FanInError {
    fileprivate static func incomplete(_ piece: FanInPiece, missing: [Int], after waited: Duration) -> FanInError {
        // All have come since, but this attempt was told of a failure before: a replay finds them.
        let which = missing.isEmpty ? "none any more" : missing.inRanges(atMost: 100)
        return FanInError(
            .incomplete,
            "\(missing.count) of \(piece.count) pieces are missing after \(waited.inWords): \(which) (\(piece.group))")
    }
}
