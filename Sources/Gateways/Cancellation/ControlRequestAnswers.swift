internal import Envelopes
internal import EventLoops
internal import Faults
internal import Logging
internal import Telemetry
internal import Transports

/// Answers sidecars that have just started: which envelopes are cancelled, which faults there are, and last whether their actor is
/// paused.
struct ControlRequestAnswers: Sendable {
    let store: any ActorStore & CancellationStore & FaultStore
    let hasFaults: Bool
    let transport: any Transport
    let metrics: GatewayMetrics
    let logger: Logger

    /// The latest cancellations; one that is older is told when its envelope is next reported on.
    private static let limit = 10_000

    /// Returns when the transport stops consuming.
    func run() async {
        let deliveries = await transport.deliveries(from: .controlRequests, prefetch: 100)
        await deliveries.forEachBatch(limit: 100, answer)
    }

    /// Many sidecars that start together are answered with one look at the database.
    private func answer(_ batch: [Delivery]) async {
        let requests = batch.map(request)
        let actors = Set(requests.compactMap { $0?.actor })
        let ids: [String]
        let pauses: [String: ActorPause]
        let faults: [Fault]
        do throws(StoreError) {
            try await store.note(actors: actors)
            pauses = try await store.pauses(of: actors)
            faults = hasFaults ? try await activeFaults() : []
            ids = try await store.latestCancellations(limit: Self.limit)
        } catch {
            logger.debug("control requests wait for the database", metadata: ["error": "\(error)"])
            // The broker keeps them for a minute; a sidecar doesn't wait that long, but takes a late answer too.
            try? await Task.sleep(for: .seconds(1))
            for delivery in batch { await transport.settle(delivery, .requeue) }
            return
        }
        var answers = chunks(of: ids).map { ControlMessage.cancel($0).encoded() }
        if !faults.isEmpty {
            answers.append(ControlMessage.faults(faults.map { FaultState($0).json }).encoded())
        }
        let all = answers
        await withDiscardingTaskGroup { group in
            for (delivery, request) in zip(batch, requests) {
                group.addTask {
                    if let request { await self.send(all, pauses, to: request) }
                    await self.transport.settle(delivery, .acknowledge)
                }
            }
        }
    }

    /// At least one, be it empty: sidecars that know nothing of pauses wait for it.
    private func chunks(of ids: [String]) -> [[String]] {
        guard !ids.isEmpty else { return [[]] }
        return stride(from: 0, to: ids.count, by: CancellationAnnouncer.chunk).map {
            Array(ids[$0..<min($0 + CancellationAnnouncer.chunk, ids.count)])
        }
    }

    private func activeFaults() async throws(StoreError) -> [Fault] {
        try await store.faults(
            FaultFilter(isActive: true), limit: Self.limit, now: Timestamp.microsecondsNow()
        ).map(\.fault)
    }

    private func request(_ delivery: Delivery) -> ControlRequest? {
        do throws(ControlError) {
            return try ControlRequest(parsing: delivery.body)
        } catch {
            logger.warning("unreadable control request", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func send(_ answers: [[UInt8]], _ pauses: [String: ActorPause], to request: ControlRequest) async {
        // With this the sidecar knows that it has heard all.
        let last = ControlMessage.pauses([pauses[request.actor]].compactMap(\.self)).encoded()
        for answer in answers + [last] {
            do throws(TransportError) {
                try await transport.publish(
                    Message(to: .controlInbox(request.inbox), id: "", body: answer), timeout: .seconds(10))
            } catch {
                // It has ended again, or it will ask again.
                return logger.debug(
                    "sidecar not answered", metadata: ["actor": "\(request.actor)", "error": "\(error)"])
            }
        }
        metrics.controlRequestsAnswered.increment()
    }
}
