internal import EventLoops
internal import Envelopes
internal import Synchronization
internal import Telemetry
internal import Transports

/// What a sidecar counts. Names and labels are part of the protocol (`docs/protocol.md`).
final class SidecarMetrics: Sendable {
    let registry: MetricsRegistry
    let received: Counter
    let active: Gauge
    let paused: Gauge
    let processing: Histogram
    let runtimeExecution: Histogram
    let redelivered: Counter
    let receive: Histogram
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
        active = registry.gauge("active_messages", "Deliveries that are not settled yet.")
        paused = registry.gauge("paused", "1 while the actor is paused and nothing is taken from its queue, else 0.")
        processing = registry.histogram(
            "processing_duration_seconds", "From a delivery's arrival to its settlement.", ["queue": queue],
            buckets: Histogram.seconds)
        runtimeExecution = registry.histogram(
            "runtime_execution_duration_seconds", "From the request to the runtime to its reply.", ["queue": queue],
            buckets: Histogram.seconds)
        receivedSize = registry.histogram(
            "envelope_size_bytes", "Size of messages.", ["direction": "received"], buckets: Histogram.bytes)
        sentSize = registry.histogram(
            "envelope_size_bytes", "Size of messages.", ["direction": "sent"], buckets: Histogram.bytes)
        succeeded = Self.processed(registry, queue, "success")
    }

    private static func processed(_ registry: MetricsRegistry, _ queue: String, _ status: String) -> Counter {
        registry.counter(
            "messages_processed_total", "Deliveries that ended well.", ["queue": queue, "status": status])
    }

    func arrived(_ delivery: Delivery) {
        received.increment()
        if delivery.isRedelivered { redelivered.increment() }
        receivedSize.observe(Double(delivery.body.count))
        active.add(1)
    }

    func settled(_ machine: DeliveryMachine, after duration: Duration) {
        active.add(-1)
        processing.observe(duration.inSeconds)
        if let code = machine.errorCode {
            registry.counter("runtime_errors_total", "Errors by their code.", ["queue": queue, "error_type": code])
                .increment()
        }
        switch machine.outcome {
        case .success: succeeded.increment()
        case .emptyResponse: Self.processed(registry, queue, "empty_response").increment()
        case .endConsumed: Self.processed(registry, queue, "end_consumed").increment()
        case .retried:
            registry.counter(
                "messages_retried_total", "Deliveries that failed and are tried again.",
                ["queue": queue, "error_type": machine.errorCode ?? "unknown"]
            ).increment()
        case .failed(let reason): failed(reason.rawValue)
        case .counted, nil: break
        }
    }

    func failed(_ reason: String) {
        registry.counter("messages_failed_total", "Deliveries that failed.", ["queue": queue, "reason": reason])
            .increment()
    }

    func emitted(_ taken: Int, _ refused: [EventGatherer.Refusal: Int]) {
        if taken > 0 {
            registry.counter("events_emitted_total", "Events that handlers have emitted.", ["queue": queue])
                .increment(by: taken)
        }
        for (reason, count) in refused {
            registry.counter(
                "events_dropped_total", "Events that were left out.", ["queue": queue, "reason": reason.rawValue]
            ).increment(by: count)
        }
    }

    func injected(_ kind: String) {
        registry.counter(
            "faults_injected_total", "Effects of faults that were injected on purpose.", ["queue": queue, "kind": kind]
        ).increment()
    }

    /// - Parameter destinationQueue: of an actor.
    func sent(
        _ message: Message, to actor: String, destinationQueue: String, policy: DeliveryPolicy, after duration: Duration
    ) {
        let sent = sentTo.withLock { known in
            if let sent = known[actor] { return sent }
            let type = actor == policy.errorEnd ? "error_end" : actor == policy.happyEnd ? "happy_end" : "routing"
            let sent = Sent(
                count: registry.counter(
                    "messages_sent_total", "Messages confirmed by the broker.",
                    ["destination_queue": destinationQueue, "message_type": type]),
                duration: registry.histogram(
                    "queue_send_duration_seconds", "From a publish to its confirm.",
                    ["destination_queue": destinationQueue, "transport": "rabbitmq"], buckets: Histogram.seconds))
            known[actor] = sent
            return sent
        }
        sent.count.increment()
        sent.duration.observe(duration.inSeconds)
        sentSize.observe(Double(message.body.count))
    }
}
