internal import Envelopes
internal import Logging
internal import PostgreSQL
internal import Telemetry

/// A report sorted by what it asks for.
struct ReadReport: Sendable {
    enum Content: Sendable {
        case child(FanOutChild)
        case change(EnvelopeChange)
    }

    var content: Content
    /// When that was which it tells of, in microseconds since 1970; `nil` where it does not say.
    var time: Int64?

    init(_ content: Content) { self.content = content }

    init(_ report: StatusReport) throws(StatusReportError) {
        guard !report.envelopeID.isEmpty, report.envelopeID.utf8.count <= 1000 else {
            throw StatusReportError("'id' must have 1 to 1000 bytes")
        }
        if report.kind == .created {
            guard let child = FanOutChild(report) else {
                throw StatusReportError("a report of kind 'created' needs 'parent_id'")
            }
            content = .child(child)
        } else {
            content = .change(try EnvelopeChange(report))
        }
        time = Timestamp.microseconds(parsing: report.timestamp)
    }

    var envelopeID: String {
        switch content {
        case .child(let child): child.id
        case .change(let change): change.envelopeID
        }
    }
}

/// Writes reports, wherever they came from, and counts what became of them.
struct ReportWriter: Sendable {
    let store: EnvelopeStore
    let cancellations: CancellationAnnouncer
    let metrics: GatewayMetrics
    let logger: Logger
    var intake = GatewayMetrics.Intake.statusReports

    func count(_ outcome: GatewayMetrics.ReportOutcome, _ number: Int = 1) {
        metrics.taken(intake, outcome).increment(by: number)
    }

    /// - Returns: the outcomes of the changes among them, in order.
    @discardableResult
    func write(_ reports: [ReadReport]) async throws(PostgreSQLError) -> [ChangeOutcome] {
        var children: [FanOutChild] = []
        var changes: [EnvelopeChange] = []
        for report in reports {
            switch report.content {
            case .child(let child): children.append(child)
            case .change(let change): changes.append(change)
            }
        }
        if try await store.register(children) > 0 { cancellations.wake() }
        count(.applied, children.count)
        guard !changes.isEmpty else { return [] }

        let outcomes = try await store.apply(changes)
        for (change, outcome) in zip(changes, outcomes) {
            switch outcome {
            case .applied:
                count(.applied)
                if change.status.isFinal { metrics.finished(change.status).increment() }
                if change.isOverdue { metrics.overdue.increment() }
            case .ignored: count(.ignored)
            case .unknown:
                count(.unknown)
                logger.debug("report of an unknown envelope", metadata: ["envelope_id": "\(change.envelopeID)"])
            }
        }
        try await followCancelled(changes, outcomes)
        let overdue = changes.filter(\.isOverdue)
        if !overdue.isEmpty { try await store.deleteMessages(of: overdue.map(\.envelopeID)) }
        return outcomes
    }

    /// Whoever still works on a cancelled envelope is told again. One whose message has ended, or that is reopened, needs no telling
    /// any more.
    private func followCancelled(_ changes: [EnvelopeChange], _ outcomes: [ChangeOutcome]) async throws(PostgreSQLError)
    {
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
