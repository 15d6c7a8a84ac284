internal import Envelopes
internal import EventLoops
internal import Logging
internal import Synchronization
internal import Telemetry
internal import Transports

/// Brings accepted envelopes to the broker: those of this gateway right after the answer; those that start later, and those that a
/// crash or an absent broker has left behind, once they are due.
///
/// A message leaves the outbox when the broker has confirmed it, so it is sent at least once.
final class OutboxPublisher: Sendable {
    private let store: any OutboxStore & ReportStore
    private let transport: any Transport
    private let settings: Settings
    private let metrics: GatewayMetrics
    /// `nil` where nothing is traced.
    private let spans: MessageSpans?
    private let logger: Logger
    private let deletions: OutboxDeletions
    private let alarm = Alarm()
    private let fresh: AsyncStream<OutboxMessage>
    private let freshContinuation: AsyncStream<OutboxMessage>.Continuation
    private let freshBytes = Atomic<Int>(0)

    struct Settings: Sendable {
        var publishTimeout: Duration
        /// How long a message is left to whoever has taken it.
        var grace: Duration
        var interval: Duration
        /// Tries before an envelope whose first actor has no queue fails; about half a minute.
        var unroutableLimit = 6
    }

    /// Messages under way at the same time.
    private static let concurrency = 64
    /// Before another look when others hold what is due.
    private static let pause = Duration.milliseconds(20)
    /// What waits beyond that stays in the table only, and is sent when its grace is over.
    private static let freshLimit = 50_000
    private static let freshBytesLimit = 64 << 20

    init(
        store: any OutboxStore & ReportStore, transport: any Transport, settings: Settings, metrics: GatewayMetrics,
        spans: MessageSpans?, logger: Logger
    ) {
        self.store = store
        self.transport = transport
        self.settings = settings
        self.metrics = metrics
        self.spans = spans
        self.logger = logger
        deletions = OutboxDeletions(store: store, logger: logger)
        (fresh, freshContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.freshLimit))
    }

    /// Publishes soon. What doesn't fit is published by the relay when its grace is over.
    func offer(_ message: OutboxMessage) {
        let size = message.body.count
        guard freshBytes.load(ordering: .relaxed) + size <= Self.freshBytesLimit || size > Self.freshBytesLimit else {
            return
        }
        freshBytes.wrappingAdd(size, ordering: .relaxed)
        if case .enqueued = freshContinuation.yield(message) { return }
        freshBytes.wrappingSubtract(size, ordering: .relaxed)
    }

    /// A message in the table is due at a time, in microseconds since 1970: the relay is awake then.
    func expectMessage(at time: Int64) {
        let delay = Duration.microseconds(time - Timestamp.microsecondsNow())
        Task { await alarm.ring(after: delay) }
    }

    /// Takes in no more messages; `run` returns when those under way are done.
    func stop() { freshContinuation.finish() }

    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.relay() }
            await publishFresh()
            group.cancelAll()
        }
    }

    private func publishFresh() async {
        await withTaskGroup(of: Void.self) { group in
            var count = 0
            for await message in fresh {
                if count == Self.concurrency {
                    await group.next()
                    count -= 1
                }
                count += 1
                group.addTask {
                    await self.publish(message)
                    self.freshBytes.wrappingSubtract(message.body.count, ordering: .relaxed)
                }
            }
        }
    }

    // MARK: The relay

    private func relay() async {
        while !Task.isCancelled {
            var wait = settings.interval
            do throws(StoreError) {
                if let next = try await store.timeToNextMessage() { wait = min(wait, next) }
                if wait <= .zero { wait = try await sendDue() ? .zero : Self.pause }
            } catch {
                wait = settings.interval
                if error.code != .cancelled { logger.debug("outbox not read", metadata: ["error": "\(error)"]) }
            }
            if wait > .zero { await alarm.sleep(for: wait) }
        }
    }

    /// - Returns: whether there was something to send.
    private func sendDue() async throws(StoreError) -> Bool {
        let messages = try await store.takeDueMessages(limit: 16, lease: settings.grace)
        await withDiscardingTaskGroup { group in
            for message in messages { group.addTask { await self.publish(message) } }
        }
        return !messages.isEmpty
    }

    // MARK: One message

    private func publish(_ message: OutboxMessage) async {
        let (body, span) = traced(message.body)
        let start = MonotonicTime.now
        do throws(TransportError) {
            defer { metrics.confirm.observe(start.duration(to: .now).inSeconds) }
            try await transport.publish(
                Message(to: .actor(message.actor), id: message.envelopeID, body: body),
                timeout: settings.publishTimeout)
        } catch {
            span?.end(spans, message, error: error.code.rawValue)
            return await handleFailure(of: message, error)
        }
        span?.end(spans, message)
        metrics.published.increment()
        await deletions.delete(message.rowID)
    }

    private func handleFailure(of message: OutboxMessage, _ error: TransportError) async {
        metrics.publishFailures(error.code).increment()
        logger.warning(
            "envelope not sent",
            metadata: [
                "envelope_id": "\(message.envelopeID)", "actor": "\(message.actor)",
                "attempt": "\(message.attempts + 1)",
                "error": "\(error)",
            ].merging(Logger.Metadata(try? Envelope(parsing: message.body, limits: .ofBroker).headers.traceparent)) {
                $1
            })
        do throws(StoreError) {
            if error.code == .unroutable && message.attempts + 1 >= settings.unroutableLimit {
                try await giveUp(message)
            } else {
                var backoff = Backoff(initial: .seconds(1), ceiling: .seconds(30))
                for _ in 0..<min(message.attempts, 10) { _ = backoff.next() }
                try await store.postponeMessage(message.rowID, by: backoff.next())
            }
        } catch {
            // The row is due again when its grace is over.
            logger.debug("outbox not written", metadata: ["envelope_id": "\(message.envelopeID)", "error": "\(error)"])
        }
    }

    /// Nobody has made a queue for the first actor: the envelope fails with that reason rather than wait for ever.
    private func giveUp(_ message: OutboxMessage) async throws(StoreError) {
        guard let envelope = try? Envelope(parsing: message.body, limits: .ofBroker) else { return }
        // Of the run that the message belongs to: what a retry has sent isn't ended by the end of an earlier one.
        var report = StatusReport(.final, of: envelope, eventID: "", status: EnvelopeStatus.failed.rawValue)
        report.error = "no queue for actor '\(message.actor)': is it deployed, and its name right?"
        report.failedMessage = RawJSON(stored: message.body)
        guard let change = try? EnvelopeChange(report) else { return }
        _ = try await store.apply([change])
        try await store.deleteMessages([message.rowID])
        metrics.finished(.failed).increment()
    }

    // MARK: Traces

    /// A try to publish, below the span that stands in the outbox.
    private struct PublishSpan {
        let context: TraceParent
        let parent: TraceParent?
        let start = MonotonicTime.now

        func end(_ spans: MessageSpans?, _ message: OutboxMessage, error: String? = nil) {
            spans?.published(
                context, below: parent, to: message.actor, id: message.envelopeID, bytes: message.body.count,
                since: start, error: error)
        }
    }

    /// The message with the span of this try as the parent of what comes after it.
    private func traced(_ body: [UInt8]) -> ([UInt8], PublishSpan?) {
        guard let spans, var envelope = try? Envelope(parsing: body, limits: .ofBroker) else { return (body, nil) }
        let parent = envelope.headers.traceparent
        guard let context = spans.tracer.context(below: parent) else { return (body, nil) }
        envelope.headers.traceparent = context
        return (envelope.encoded(), PublishSpan(context: context, parent: parent))
    }
}
