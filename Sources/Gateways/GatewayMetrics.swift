internal import Telemetry
internal import Transports

/// What `/metrics` shows.
struct GatewayMetrics: Sendable {
    let registry: MetricsRegistry
    let published: Counter
    let outboxLength: Gauge
    let submitted: Counter
    let streams: Gauge
    let overdue: Counter
    let deleted: Counter
    let partialResults: Counter
    let cancellationsAnnounced: Counter
    let controlRequestsAnswered: Counter
    let ingestLag: Histogram
    let reportsWaiting: Gauge
    let databaseWait: Histogram
    let databaseUse: Histogram
    let confirm: Histogram
    let brokerAvailable: Gauge
    let mcpSessions: Gauge
    let mcpStreams: Gauge

    /// What tells the gateway of envelopes.
    enum Intake: String, CaseIterable {
        case statusReports = "status_reports"
        case deadLetters = "dead_letters"
    }

    enum ReportOutcome: String, CaseIterable {
        case applied, ignored, unknown, invalid
    }

    init(namespace: String = "troupe_gateway") {
        registry = MetricsRegistry(namespace: namespace)
        published = registry.counter("outbox_published_total", "Messages that the broker has confirmed")
        outboxLength = registry.gauge(
            "outbox_messages",
            "Accepted envelopes that the broker has not confirmed yet; not those that start later"
        )
        submitted = registry.counter("envelopes_submitted_total", "Envelopes accepted")
        streams = registry.gauge("sse_streams", "Open event streams")
        overdue = registry.counter(
            "envelopes_overdue_total", "Envelopes failed since nobody had ended them by their deadline")
        deleted = registry.counter("envelopes_deleted_total", "Envelopes that had ended long ago, and are gone")
        partialResults = registry.counter("partial_results_total", "Partial results written into histories")
        cancellationsAnnounced = registry.counter(
            "cancellations_announced_total", "Cancelled envelopes that sidecars were told of, repetitions included")
        controlRequestsAnswered = registry.counter(
            "control_requests_answered_total", "Sidecars that have started and asked what is cancelled")
        ingestLag = registry.histogram(
            "report_ingest_lag_seconds", "From what a report tells of until it is written", buckets: Histogram.seconds)
        reportsWaiting = registry.gauge(
            "status_reports_waiting",
            "Reports and notices that this gateway holds and has not written, as many as are prefetched at most")
        databaseWait = registry.histogram(
            "database_wait_seconds", "Until a call had its connection of the pool", buckets: Histogram.seconds)
        databaseUse = registry.histogram(
            "database_use_seconds", "How long a call had its connection: its statements and their results",
            buckets: Histogram.seconds)
        confirm = registry.histogram(
            "outbox_confirm_duration_seconds", "From a publish to the broker's confirm, or to its failure",
            buckets: Histogram.seconds)
        brokerAvailable = registry.gauge(
            "broker_available", "1 when the broker could be asked about its queues for this answer, else 0")
        mcpSessions = registry.gauge("mcp_sessions", "Open MCP sessions")
        mcpStreams = registry.gauge("mcp_streams", "Open streams and waiting calls of MCP clients")
        // Series are there from the start: a rate over the first event is right then.
        for status in EnvelopeStatus.allCases where status.isFinal { _ = finished(status) }
        for intake in Intake.allCases { for outcome in ReportOutcome.allCases { _ = taken(intake, outcome) } }
        for reason in AuthFailure.Reason.allCases { _ = authFailures(reason) }
        for code in [TransportError.Code.unroutable, .refused, .connectionLost, .timeout] { _ = publishFailures(code) }
    }

    func finished(_ status: EnvelopeStatus) -> Counter {
        registry.counter(
            "envelopes_finished_total", "Envelopes whose end this gateway has written, by status",
            ["status": status.rawValue])
    }

    func publishFailures(_ code: TransportError.Code) -> Counter {
        registry.counter("outbox_failures_total", "Messages not confirmed, by reason", ["reason": code.rawValue])
    }

    func taken(_ intake: Intake, _ outcome: ReportOutcome) -> Counter {
        let help =
            switch intake {
            case .statusReports: "Reports from actors, by what became of them"
            case .deadLetters: "Notices of dead letters, by what became of them"
            }
        return registry.counter("\(intake.rawValue)_total", help, ["outcome": outcome.rawValue])
    }

    func authFailures(_ reason: AuthFailure.Reason) -> Counter {
        registry.counter(
            "auth_failures_total", "Requests whose credentials did not count, by reason", ["reason": reason.rawValue])
    }

    /// - Parameter method: one that is known here; others share a name.
    func mcpRequest(_ method: String, isError: Bool) -> Counter {
        registry.counter(
            "mcp_requests_total", "MCP requests answered, by whether with an error",
            ["method": method, "outcome": isError ? "error" : "ok"])
    }

    func request(method: String, route: String, status: Int) -> Counter {
        registry.counter(
            "http_requests_total", "Requests answered", ["method": method, "route": route, "status": String(status)])
    }

    func requestDuration(method: String, route: String) -> Histogram {
        registry.histogram(
            "http_request_duration_seconds", "Time to the answer's head", ["method": method, "route": route],
            buckets: Histogram.seconds)
    }

    func databaseConnections(_ state: String) -> Gauge {
        registry.gauge("database_connections", "Connections of the pool, and calls that wait for one", ["state": state])
    }
}
