internal import Envelopes
internal import EventLoops
internal import Logging
internal import Telemetry
internal import Transports

/// Takes in what the broker tells of envelopes: in batches, settled after they are written. While the database is away it waits in the
/// broker.
struct ReportIngest: Sendable {
    private let source: Source
    private let prefetch: Int
    private let read: @Sendable (Delivery) throws(StatusReportError) -> ReadReport
    private let writer: ReportWriter
    private let transport: any Transport
    private let rescue: DeadLetterRescue?
    private let logger: Logger

    private static let batchLimit = 256

    /// The reports of all sidecars.
    static func statusReports(_ writer: ReportWriter, _ transport: any Transport, prefetch: Int) -> ReportIngest {
        ReportIngest(source: .statusReports, prefetch: prefetch, writer, transport) {
            (delivery) throws(StatusReportError) in
            try ReadReport(StatusReport(parsing: delivery.body, limits: .ofBroker))
        }
    }

    /// What went to the dead letters, with the envelope and all its payload.
    static func deadLetterNotices(
        _ writer: ReportWriter, _ transport: any Transport, queues: any DeadLetterQueues
    ) -> ReportIngest {
        var writer = writer
        writer.intake = .deadLetters
        let rescue = DeadLetterRescue(queues: queues, transport: transport, logger: writer.logger)
        return ReportIngest(source: .deadLetterNotices, prefetch: 16, writer, transport, rescue) {
            (delivery) throws(StatusReportError) in
            try ReadReport(deadLetter: delivery)
        }
    }

    private init(
        source: Source, prefetch: Int, _ writer: ReportWriter, _ transport: any Transport,
        _ rescue: DeadLetterRescue? = nil,
        read: @escaping @Sendable (Delivery) throws(StatusReportError) -> ReadReport
    ) {
        self.source = source
        self.prefetch = prefetch
        self.read = read
        self.writer = writer
        self.transport = transport
        self.rescue = rescue
        logger = writer.logger
    }

    /// Returns when the transport stops consuming, or when the task is cancelled: what isn't written then stays with the broker.
    func run() async {
        let deliveries = await transport.deliveries(from: source, prefetch: prefetch)
        let waiting = writer.metrics.reportsWaiting
        await deliveries.forEachBatch(limit: Self.batchLimit, waiting: { waiting.add($0) }, write)
    }

    private func write(_ batch: [Delivery]) async {
        if let rescue, await !rescue.keep(batch) {
            await transport.settle(batch, .requeue)
            return
        }
        var readable: [(delivery: Delivery, report: ReadReport)] = []
        for delivery in batch {
            do throws(StatusReportError) {
                readable.append((delivery, try read(delivery)))
            } catch {
                // It would come back unreadable for ever.
                logger.error(
                    "unreadable report",
                    metadata: [
                        "from": "\(writer.intake.rawValue)", "actor": "\(delivery.deadLetter?.actor ?? "")",
                        "error": "\(error)", "bytes": "\(delivery.body.count)",
                    ])
                writer.count(.invalid)
                await transport.settle(delivery, .acknowledge)
            }
        }
        await note(actors: Set(batch.compactMap(\.deadLetter?.actor)))
        guard !readable.isEmpty else { return }
        if await writeUntilDone(readable.map(\.report)) {
            await transport.settle(readable.map(\.delivery), .acknowledge)
            let now = Timestamp.microsecondsNow()
            for (_, report) in readable {
                if let time = report.time { writer.metrics.ingestLag.observe(max(0, Double(now - time) / 1e6)) }
            }
        } else {
            await transport.settle(readable.map(\.delivery), .requeue)
        }
    }

    /// Whose dead letters there are. Their sidecars have most likely said so before.
    private func note(actors: Set<String>) async {
        if actors.isEmpty { return }
        do throws(StoreError) { try await writer.store.note(actors: actors) } catch {
            logger.warning("actors with dead letters not noted", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: false when the task was cancelled, or the database closed, before all were taken: what was, counts once.
    private func writeUntilDone(_ reports: [ReadReport]) async -> Bool {
        var backoff = Backoff()
        while !Task.isCancelled {
            do throws(StoreError) {
                try await writer.write(reports)
                return true
            } catch {
                if error.code == .closed || error.code == .cancelled { return false }
                if error.isAboutValues { return await writeSingly(reports, error) }
                logger.warning(
                    "reports wait for the database",
                    metadata: [
                        "from": "\(writer.intake.rawValue)", "error": "\(error)", "count": "\(reports.count)",
                    ])
                try? await Task.sleep(for: backoff.next())
            }
        }
        return false
    }

    /// One of them is what the database will never take: it must not hold up the others.
    private func writeSingly(_ reports: [ReadReport], _ error: StoreError) async -> Bool {
        if reports.count == 1 {
            logger.error(
                "report refused", metadata: ["envelope_id": "\(reports[0].envelopeID)", "error": "\(error)"])
            writer.count(.invalid)
            return true
        }
        for report in reports {
            guard await writeUntilDone([report]) else { return false }
        }
        return true
    }
}
