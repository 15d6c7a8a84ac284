internal import EventLoops
internal import Envelopes
internal import Synchronization
internal import Telemetry
internal import Transports

/// What a sidecar counts. Names and labels are part of the protocol (`docs/metrics.md`).
final class SidecarMetrics: Sendable {
    let registry: MetricsRegistry
    let received: Counter
    let active: Gauge
    let paused: Gauge
    let processing: Histogram
    let runtimeExecution: Histogram
    let redelivered: Counter
    let receive: Histogram
    private let queueWait: Histogram
    private let queue: String
    private let receivedSize: Histogram
    private let sentSize: Histogram
    private let succeeded: Counter
    /// By the actor that was sent to: looked up by name once, not for each message.
    private let sentTo = Mutex<[String: Sent]>([:])

    private struct Sent {
        var count: Counter
        var duration: Histogram
    }

    init(namespace: String, queue: String) {
        registry = MetricsRegistry(namespace: namespace)
        self.queue = queue
        received = registry.counter(
            "messages_received_total", "Deliveries taken from the queue.", ["queue": queue, "transport": "rabbitmq"])
        redelivered = registry.counter(
            "messages_redelivered_total", "Deliveries that the broker had delivered before.", ["queue": queue])
        receive = registry.histogram(
            "queue_receive_duration_seconds", "Time spent waiting for the next delivery.",
            ["queue": queue, "transport": "rabbitmq"], buckets: Histogram.seconds)
        queueWait = registry.histogram(
            "queue_wait_seconds",
            "From when a message came into the queue to its delivery; both are known to the second.",
            ["queue": queue, "transport": "rabbitmq"], buckets: Histogram.wholeSeconds)
        active = registry.gauge("active_messages", "Deliveries that are not settled yet.", ["queue": queue])
        paused = registry.gauge(
            "paused", "1 while the actor is paused and nothing is taken from its queue, else 0.", ["queue": queue])
        processing = registry.histogram(
            "processing_duration_seconds", "From a delivery's arrival to its settlement.", ["queue": queue],
            buckets: Histogram.seconds)
        runtimeExecution = registry.histogram(
            "runtime_execution_duration_seconds", "From the request to the runtime to its reply.", ["queue": queue],
            buckets: Histogram.seconds)
        receivedSize = registry.histogram(
            "envelope_size_bytes", "Size of messages.", ["queue": queue, "direction": "received"],
            buckets: Histogram.bytes)
        sentSize = registry.histogram(
            "envelope_size_bytes", "Size of messages.", ["queue": queue, "direction": "sent"], buckets: Histogram.bytes)
        succeeded = Self.processed(registry, queue, "success")
        // Series are there from the start: a rate over the first event is right then.
        for status in ["empty_response", "end_consumed"] { _ = Self.processed(registry, queue, status) }
        for reason in DeliveryMachine.FailureReason.allCases { _ = failures(reason.rawValue) }
        for reason in Self.sendFailures { _ = failures(reason) }
        for code in Self.codes {
            _ = errors(code)
            _ = retries(code)
        }
        for reason in Repetition.allCases { _ = repetitions(reason) }
        _ = emissions
        for refusal in EventGatherer.Refusal.allCases { _ = drops(refusal) }
    }

    /// What a handler's side may call an error is up to it; as a label only what the protocol knows.
    private static let codes = [
        "cancelled", "connection_error", "deadline_exceeded", "injected_crash", "injected_error", "injected_hang",
        "injected_timeout", "msg_parsing_error", "other", "processing_error", "route_mismatch", "runtime_error",
        "timeout",
    ]
    private static let sendFailures = ["error_queue_send_failed"]

    /// Why a handler is called again for the same delivery.
    private enum Repetition: String, CaseIterable {
        /// It died, or its process was replaced.
        case crash, replaced
        /// An end actor's storage does not take what it is to keep.
        case storage
        /// An end actor's error.
        case error

        init(_ word: String) {
            self =
                switch word {
                case Runtime.Failure.closed("").type: .crash
                case Runtime.Failure.replaced.type: .replaced
                case "StorageError": .storage
                default: .error
                }
        }
    }

    private func errors(_ code: String) -> Counter {
        registry.counter("runtime_errors_total", "Errors by their code.", ["queue": queue, "error_type": code])
    }

    private func retries(_ code: String) -> Counter {
        registry.counter(
            "messages_retried_total", "Deliveries that failed and are tried again.",
            ["queue": queue, "error_type": code])
    }

    private func failures(_ reason: String) -> Counter {
        registry.counter("messages_failed_total", "Deliveries that failed.", ["queue": queue, "reason": reason])
    }

    private func repetitions(_ reason: Repetition) -> Counter {
        registry.counter(
            "calls_repeated_total", "Calls of the handler again for the same delivery, without a retry.",
            ["queue": queue, "reason": reason.rawValue])
    }

    private var emissions: Counter {
        registry.counter("events_emitted_total", "Events that handlers have emitted.", ["queue": queue])
    }

    private func drops(_ reason: EventGatherer.Refusal) -> Counter {
        registry.counter(
            "events_dropped_total", "Events that were left out.", ["queue": queue, "reason": reason.rawValue])
    }

    private static func processed(_ registry: MetricsRegistry, _ queue: String, _ status: String) -> Counter {
        registry.counter(
            "messages_processed_total", "Deliveries that ended well.", ["queue": queue, "status": status])
    }

    func arrived(_ delivery: Delivery) {
        received.increment()
        if delivery.isRedelivered { redelivered.increment() }
        receivedSize.observe(Double(delivery.body.count))
        // In whole seconds on both sides, each is right by less than one, and their average is right: neither is always early.
        if let queuedAt = delivery.queuedAt {
            queueWait.observe(Double(max(0, Int(Timestamp.microsecondsNow() / 1_000_000) - queuedAt)))
        }
        active.add(1)
    }

    func settled(_ machine: DeliveryMachine, since arrival: MonotonicTime) {
        active.add(-1)
        processing.observe(MonotonicTime.now.seconds(since: arrival))
        if let code = machine.errorCode { errors(Self.known(code)).increment() }
        switch machine.outcome {
        case .success: succeeded.increment()
        case .emptyResponse: Self.processed(registry, queue, "empty_response").increment()
        case .endConsumed: Self.processed(registry, queue, "end_consumed").increment()
        case .retried: retries(Self.known(machine.errorCode ?? "other")).increment()
        case .failed(let reason): failed(reason.rawValue)
        case .counted, nil: break
        }
    }

    func failed(_ reason: String) { failures(reason).increment() }

    private static func known(_ code: String) -> String { codes.contains(code) ? code : "other" }

    /// - Parameter reason: why the call before did not end well: the type of the handler's error, or a word.
    func calledAgain(after reason: String) { repetitions(Repetition(reason)).increment() }

    func emitted(_ taken: Int, _ refused: [EventGatherer.Refusal: Int]) {
        if taken > 0 { emissions.increment(by: taken) }
        for (reason, count) in refused { drops(reason).increment(by: count) }
    }

    func injected(_ kind: String) {
        registry.counter(
            "faults_injected_total", "Effects of faults that were injected on purpose.", ["queue": queue, "kind": kind]
        ).increment()
    }

    /// - Parameter destinationQueue: of an actor.
    func sent(
        _ message: Message, to actor: String, destinationQueue: String, policy: DeliveryPolicy,
        since start: MonotonicTime
    ) {
        let sent = sentTo.withLock { known in
            if let sent = known[actor] { return sent }
            let type = actor == policy.errorEnd ? "error_end" : actor == policy.happyEnd ? "happy_end" : "routing"
            let sent = Sent(
                count: registry.counter(
                    "messages_sent_total", "Messages confirmed by the broker.",
                    ["queue": queue, "destination_queue": destinationQueue, "message_type": type]),
                duration: registry.histogram(
                    "queue_send_duration_seconds", "From a publish to its confirm.",
                    ["queue": queue, "destination_queue": destinationQueue, "transport": "rabbitmq"],
                    buckets: Histogram.seconds))
            known[actor] = sent
            return sent
        }
        sent.count.increment()
        sent.duration.observe(MonotonicTime.now.seconds(since: start))
        sentSize.observe(Double(message.body.count))
    }
}
