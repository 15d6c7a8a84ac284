internal import Envelopes
internal import EventLoops
internal import Logging
internal import PostgreSQL
internal import Telemetry
internal import Transports

/// Takes in the status reports that come over the broker: in batches, settled after they are written. While the database is away they
/// wait in the broker.
struct ReportIngest: Sendable {
    private let writer: ReportWriter
    private let transport: any Transport
    private let prefetch: Int
    private let metrics: GatewayMetrics
    private let logger: Logger

    private static let batchLimit = 256

    init(writer: ReportWriter, transport: any Transport, prefetch: Int) {
        self.writer = writer
        self.transport = transport
        self.prefetch = prefetch
        metrics = writer.metrics
        logger = writer.logger
    }

    /// Returns when the transport stops consuming, or when the task is cancelled: what isn't written then stays with the broker.
    func run() async {
        let deliveries = await transport.deliveries(from: .statusReports, prefetch: prefetch)
        await deliveries.forEachBatch(limit: Self.batchLimit, write)
    }

    private func write(_ batch: [Delivery]) async {
        var readable: [(delivery: Delivery, report: ReadReport)] = []
        for delivery in batch {
            do throws(StatusReportError) {
                readable.append((delivery, try ReadReport(StatusReport(parsing: delivery.body))))
            } catch {
                // It would come back unreadable for ever.
                logger.error(
                    "unreadable status report", metadata: ["error": "\(error)", "bytes": "\(delivery.body.count)"])
                metrics.reports(.invalid).increment()
                await transport.settle(delivery, .acknowledge)
            }
        }
        guard !readable.isEmpty else { return }
        if await writeUntilDone(readable.map(\.report)) {
            for (delivery, _) in readable { await transport.settle(delivery, .acknowledge) }
        } else {
            for (delivery, _) in readable { await transport.settle(delivery, .requeue) }
        }
    }

    /// - Returns: false when the task was cancelled before the database took them.
    private func writeUntilDone(_ reports: [ReadReport]) async -> Bool {
        var backoff = Backoff()
        while !Task.isCancelled {
            do throws(PostgreSQLError) {
                try await writer.write(reports)
                return true
            } catch {
                if error.code == .closed || error.code == .cancelled { return false }
                guard error.isRetryable else {
                    await writeSingly(reports)
                    return true
                }
                logger.warning(
                    "status reports wait for the database",
                    metadata: ["error": "\(error)", "count": "\(reports.count)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
        return false
    }

    /// One of them is what the database refuses: it must not hold up the others.
    private func writeSingly(_ reports: [ReadReport]) async {
        for report in reports {
            do throws(PostgreSQLError) {
                try await writer.write([report])
            } catch {
                logger.error(
                    "status report refused", metadata: ["envelope_id": "\(report.envelopeID)", "error": "\(error)"])
                metrics.reports(.invalid).increment()
            }
        }
    }
}
