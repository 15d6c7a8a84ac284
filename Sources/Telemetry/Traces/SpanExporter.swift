internal import Envelopes
public import EventLoops
internal import HTTPClient
public import Logging
internal import Synchronization

/// Sends spans to an OpenTelemetry collector: OTLP over HTTP, in JSON, in batches, one request at a time.
///
/// A collector that is away, slow or out of order costs spans, and one line in the log, but nothing else.
public actor SpanExporter {
    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let settings: TraceSettings
    private let resource: [String: String]
    private let client: HTTPClient
    private let logger: Logger
    private let exported: Counter
    private let dropped: Counter
    private let batches = Mutex(SpanBatches())
    private var timer: EventLoop.Timer?
    /// Whether the log says that the collector does not take spans.
    private var isFailing = false
    private var isEnded = false
    private var onEnd: CheckedContinuation<Void, Never>?

    private static let timeout = Duration.seconds(10)

    /// - Parameter metrics: gets `trace_spans_total{outcome}`.
    public init(_ settings: TraceSettings, on loop: EventLoop, metrics: MetricsRegistry, logger: Logger) {
        self.settings = settings
        self.loop = loop
        self.logger = logger
        let own = [
            "service.instance.id": TraceParent.random().traceID, "telemetry.sdk.language": "swift",
            "telemetry.sdk.name": "troupe",
        ]
        resource = settings.resource.merging(own) { given, _ in given }
        client = HTTPClient(
            on: loop,
            configuration: .init(
                maximumConnectionsPerHost: 1, certificateAuthorities: settings.certificateAuthorities))
        let help = "Spans, by whether the collector has taken them"
        exported = metrics.counter("trace_spans_total", help, ["outcome": "exported"])
        dropped = metrics.counter("trace_spans_total", help, ["outcome": "dropped"])
    }

    public nonisolated var tracer: Tracer {
        Tracer(samplingRatio: settings.samplingRatio) { self.export($0) }
    }

    /// From any thread; nobody waits.
    nonisolated func export(_ span: Span) {
        guard let action = step({ $0.add(span) }) else { return }
        Task(executorPreference: loop) { await self.perform(action) }
    }

    /// Sends what is left, for `limit` at most. What comes later is dropped.
    public func shutdown(within limit: Duration) async {
        let last = loop.schedule(after: limit) { [weak self] in self?.assumeIsolated { $0.end() } }
        perform(step { $0.close() })
        await withCheckedContinuation { continuation in
            if isEnded { continuation.resume() } else { onEnd = continuation }
        }
        loop.cancel(last)
        await client.shutdown()
    }

    private func end() {
        isEnded = true
        onEnd?.resume()
        onEnd = nil
    }

    // MARK: Carrying out

    private nonisolated func step(_ event: (inout SpanBatches) -> SpanBatches.Action?) -> SpanBatches.Action? {
        let (action, newlyExported, newlyDropped) = batches.withLock { batches in
            let (exported, dropped) = (batches.exported, batches.dropped)
            let action = event(&batches)
            return (action, batches.exported - exported, batches.dropped - dropped)
        }
        if newlyExported > 0 { exported.increment(by: newlyExported) }
        if newlyDropped > 0 { dropped.increment(by: newlyDropped) }
        return action
    }

    private func perform(_ action: SpanBatches.Action?) {
        guard let action else { return }
        if let timer { loop.cancel(timer) }
        timer = nil
        switch action {
        case .wait(let delay):
            timer = loop.schedule(after: delay) { [weak self] in
                self?.assumeIsolated { exporter in
                    exporter.timer = nil
                    exporter.perform(exporter.step { $0.waited() })
                }
            }
        case .send(let spans):
            Task(executorPreference: loop) { await self.deliver(spans) }
        case .end: end()
        }
    }

    private func deliver(_ spans: [Span]) async {
        let outcome = await send(spans)
        perform(step { $0.sent(outcome) })
    }

    private func send(_ spans: [Span]) async -> SpanBatches.Outcome {
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in settings.headers { headers.add(name: name, value: value) }
        let request = HTTPRequest(
            .post, settings.endpoint, headers: headers,
            body: OTLPRequest(resource: resource, spans: spans).encoded(), timeout: Self.timeout,
            maximumResponseBytes: 1 << 20)
        do throws(HTTPError) {
            let response = try await client.send(request)
            if response.isSuccess { return taken(response) }
            complain("status \(response.status)")
            guard [429, 502, 503, 504].contains(response.status) else { return .refused }
            let seconds = response.headers["Retry-After"].flatMap { UInt32($0) }
            return .busy(retryAfter: seconds.map { .seconds($0) })
        } catch {
            complain("\(error)")
            return error.isTransient ? .busy() : .refused
        }
    }

    private func taken(_ response: HTTPResponse) -> SpanBatches.Outcome {
        let partial = (try? RawJSON(response.body))?["partialSuccess"]?["rejectedSpans"]
        let rejected = partial?.integer ?? partial?.string.flatMap { Int($0) } ?? 0
        if rejected > 0 {
            complain("\(rejected) spans rejected")
        } else if isFailing {
            isFailing = false
            logger.info("the collector takes spans again", metadata: ["dropped": "\(dropped.value)"])
        }
        return .taken(rejected: rejected)
    }

    /// Once, until it works again.
    private func complain(_ reason: String) {
        if isFailing || isEnded { return }
        isFailing = true
        logger.warning("spans are not taken by the collector", metadata: ["reason": "\(reason)"])
    }
}
