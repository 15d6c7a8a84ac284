internal import Envelopes
internal import Logging
internal import Telemetry

/// A report sorted by what it asks for.
struct ReadReport: Sendable {
    enum Content: Sendable {
        case child(FanOutChild)
        case change(EnvelopeChange)
        case partial(PartialResults)
    }

    var content: Content
    /// When that was which it tells of, in microseconds since 1970; `nil` where it does not say.
    var time: Int64?

    init(_ content: Content) { self.content = content }

    init(_ report: StatusReport) throws(StatusReportError) {
        guard !report.envelopeID.isEmpty, report.envelopeID.utf8.count <= 1000 else {
            throw StatusReportError("'id' must have 1 to 1000 bytes")
        }
        switch report.kind {
        case .created:
            guard let child = FanOutChild(report) else {
                throw StatusReportError("a report of kind 'created' needs 'parent_id'")
            }
            content = .child(child)
            time = Timestamp.microseconds(parsing: report.timestamp)
        case .emitted:
            content = .partial(try PartialResults(report))
            time = Timestamp.microseconds(parsing: report.timestamp)
        case .progress, .final, .reopened:
            let change = try EnvelopeChange(report)
            content = .change(change)
            time = change.reportedAt
        }
    }

    var envelopeID: String {
        switch content {
        case .child(let child): child.id
        case .change(let change): change.envelopeID
        case .partial(let partial): partial.envelopeID
        }
    }
}

/// Writes reports, wherever they came from, and counts what became of them.
struct ReportWriter: Sendable {
    let store: any ReportStore & OutboxStore & CancellationStore & ActorStore
    /// Partial results that an envelope may have. By HTTP come none.
    var partialLimit = 0
    let cancellations: CancellationAnnouncer
    let metrics: GatewayMetrics
    let logger: Logger
    var intake = GatewayMetrics.Intake.statusReports

    func count(_ outcome: GatewayMetrics.ReportOutcome, _ number: Int = 1) {
        metrics.taken(intake, outcome).increment(by: number)
    }

    /// - Returns: the outcomes of the changes among them, in order.
    @discardableResult
    func write(_ reports: [ReadReport]) async throws(StoreError) -> [ChangeOutcome] {
        let batch = ReportBatch(reports)
        if try await store.register(batch.children) > 0 { cancellations.wake() }
        count(.applied, batch.children.count)
        var changes: [EnvelopeChange] = []
        var outcomes: [ChangeOutcome] = []
        for stage in batch.stages {
            switch stage {
            case .changes(let stage):
                changes += stage
                outcomes += try await apply(stage)
            case .partials(let stage): try await append(stage)
            }
        }
        try await followCancelled(changes, outcomes)
        let overdue = changes.filter(\.isOverdue)
        if !overdue.isEmpty { try await store.deleteMessages(of: overdue.map(\.envelopeID)) }
        return outcomes
    }

    private func apply(_ changes: [EnvelopeChange]) async throws(StoreError) -> [ChangeOutcome] {
        let outcomes = try await store.apply(changes)
        for (change, outcome) in zip(changes, outcomes) {
            switch outcome {
            case .applied:
                count(.applied)
                if change.status.isFinal { metrics.finished(change.status).increment() }
                if change.isOverdue { metrics.overdue.increment() }
            case .ignored: count(.ignored)
            case .unknown: countUnknown(change.envelopeID)
            }
        }
        return outcomes
    }

    private func append(_ partials: [PartialResults]) async throws(StoreError) {
        let outcomes = try await store.append(partials, limit: partialLimit)
        for (partial, outcome) in zip(partials, outcomes) {
            switch outcome {
            case .applied:
                count(.applied)
                metrics.partialResults.increment(by: partial.events.count)
            case .ignored: count(.ignored)
            case .unknown: countUnknown(partial.envelopeID)
            }
        }
    }

    private func countUnknown(_ id: String) {
        count(.unknown)
        logger.debug("report of an unknown envelope", metadata: ["envelope_id": "\(id)"])
    }

    /// Whoever still works on a cancelled envelope is told again. One whose message has ended, or that is reopened, needs no telling
    /// any more.
    private func followCancelled(_ changes: [EnvelopeChange], _ outcomes: [ChangeOutcome]) async throws(StoreError) {
        var alive: Set<String> = []
        var ended: Set<String> = []
        for (change, outcome) in zip(changes, outcomes) {
            switch outcome {
            case .ignored(_, isCancelled: true) where !change.status.isFinal: alive.insert(change.envelopeID)
            case .ignored(_, isCancelled: true): ended.insert(change.envelopeID)
            case .applied where change.isReopening: ended.insert(change.envelopeID)
            default: break
            }
        }
        alive.subtract(ended)
        if !ended.isEmpty { try await store.forgetCancellations(of: ended) }
        guard !alive.isEmpty else { return }
        try await store.announceAgain(alive)
        cancellations.wake()
    }
}
