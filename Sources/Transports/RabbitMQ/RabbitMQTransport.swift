internal import AMQP
internal import Envelopes
public import EventLoops
public import Logging

/// Envelopes over RabbitMQ: one connection that consumes each source, one that publishes. Lost ones are dialed again,
/// with backoff.
///
/// Two connections, because the broker may block a publishing one for as long as its memory or disk is short;
/// deliveries can still be settled then.
public actor RabbitMQTransport: Transport {
    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let topology: Topology
    private let logger: Logger
    private var subscriptions: [Source: Subscription] = [:]
    private var pausedSources: Set<Source> = []
    private var consumers: [UInt64: Consumer] = [:]
    private var lastGeneration: UInt64 = 0
    /// Consumers whose queue was deleted: what they have delivered is nowhere else any more.
    private var lastCopies: Set<UInt64> = []
    private var publisher: Publisher?
    private var publisherTrouble = "not connected yet"
    private var publisherTask: Task<Void, Never>?
    private var waitingForPublisher: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var lastWaiter: UInt64 = 0
    private var isConsumingOver = false
    private var isStopped = false
    private var delayLevels: Set<DelayLevel> = []
    /// Being declared: one connection for however many messages wait for it.
    private var declarations: [DelayLevel: Task<Result<Void, TransportError>, Never>] = [:]

    private struct Subscription {
        var deliveries: DeliveryStream
        var task: Task<Void, Never>?
        /// Of the connection that consumes, or the last one that did.
        var generation: UInt64 = 0
        /// Why it does not consume just now.
        var trouble: String?
    }

    public init(_ settings: RabbitMQSettings, on loop: EventLoop, logger: Logger) {
        topology = Topology(settings: settings)
        self.loop = loop
        self.logger = logger
    }

    // MARK: Consuming

    public func declare(_ source: Source) async {
        // It ends when the transport stops; whoever declares is stopping then too.
        try? await declare(topology.queue(of: source), until: nil) { [topology] (link) throws(AMQPError) in
            try topology.declare(source, on: link)
        }
    }

    /// Runs `setUp` on a connection of its own, again and again until it works.
    private func declare(
        _ what: String, until deadline: MonotonicTime?, _ setUp: @escaping @Sendable (Link) throws(AMQPError) -> Void
    ) async throws(TransportError) {
        var backoff = Backoff()
        let endpoint = topology.settings.endpoint
        // A cancelled task sleeps no more: it must not go round and round either.
        while !isStopped && !Task.isCancelled {
            let reason: AMQPError
            do throws(AMQPError) {
                let link = try await Link.dial(endpoint, setUp: setUp)
                return await BlockingThread.run { link.close() }
            } catch { reason = error }
            if let deadline, deadline <= .now { throw TransportError(.timeout, "\(what) not declared: \(reason)") }
            let wait = backoff.next()
            logger.warning(
                "not declared", metadata: ["what": "\(what)", "reason": "\(reason)", "retry_in": "\(wait.inWords)"])
            await loop.sleep(for: wait)
        }
        throw TransportError(.stopped, "the transport has been shut down, or the task cancelled")
    }

    public func deliveries(from source: Source, prefetch: Int) -> DeliveryStream {
        guard !isStopped, !isConsumingOver, subscriptions[source] == nil else { return .ended }
        let stream = DeliveryStream()
        subscriptions[source] = Subscription(deliveries: stream, trouble: "not connected yet")
        subscriptions[source]?.task = Task(executorPreference: loop) {
            await self.keepConsuming(source, prefetch: prefetch)
        }
        return stream
    }

    private func keepConsuming(_ source: Source, prefetch: Int) async {
        var backoff = Backoff()
        let topology = topology
        let queue = topology.queue(of: source)
        while !Task.isCancelled && !isConsumingOver {
            lastGeneration += 1
            let generation = lastGeneration
            let isPaused = pausedSources.contains(source)
            let (ends, end) = AsyncStream<AMQPError>.makeStream()
            var reason: AMQPError
            do throws(AMQPError) {
                let consumer = try await Consumer.open(
                    topology.settings.endpoint, queue: queue, prefetch: prefetch, isConsuming: !isPaused, on: loop
                ) {
                    (link) throws(AMQPError) in
                    try topology.declare(source, on: link)
                } handler: { [weak self] event in
                    switch event {
                    case .message(let message):
                        self?.assumeIsolated { $0.deliver(message, from: source, generation: generation) }
                    case .ended(let error):
                        self?.assumeIsolated { $0.consumerEnded(generation, error) }
                        end.yield(error)
                    }
                }
                guard !Task.isCancelled && !isConsumingOver else { return await consumer.close() }
                logger.info(
                    "consuming",
                    metadata: ["queue": "\(queue)", "prefetch": "\(prefetch)", "paused": "\(isPaused)"])
                // Known before its first delivery comes, which may be settled at once.
                consumers[generation] = consumer
                subscriptions[source]?.generation = generation
                subscriptions[source]?.trouble = nil
                backoff.reset()
                // It may have been paused or resumed while it was dialed.
                await obeyPause(of: source)
                await consumer.start()
                reason = AMQPError(.connectionLost, "stopped")
                for await error in ends {
                    reason = error
                    break
                }
            } catch { reason = error }
            guard !Task.isCancelled else { return }
            let wait = backoff.next()
            subscriptions[source]?.trouble = reason.message
            logger.warning(
                "not consuming", metadata: ["queue": "\(queue)", "reason": "\(reason)", "retry_in": "\(wait.inWords)"])
            await loop.sleep(for: wait)
        }
    }

    private func consumerEnded(_ generation: UInt64, _ reason: AMQPError) {
        consumers[generation] = nil
        if reason.code == .consumerCancelled { lastCopies.insert(generation) }
    }

    private func deliver(_ message: Consumer.Message, from source: Source, generation: UInt64) {
        subscriptions[source]?.deliveries.yield(
            Delivery(message, from: source, token: .init(generation: generation, tag: message.tag)))
    }

    public func settle(_ delivery: Delivery, _ settlement: Settlement) async {
        guard let consumer = consumers[delivery.token.generation] else {
            if settlement == .requeue { await giveBackLastCopy(delivery) }
            return
        }
        switch settlement {
        case .acknowledge: await consumer.acknowledge(delivery.token.tag)
        case .requeue: await consumer.requeue(delivery.token.tag)
        }
    }

    /// One hop to the loop for all of them.
    public func settle(_ deliveries: [Delivery], _ settlement: Settlement) async {
        for delivery in deliveries { await settle(delivery, settlement) }
    }

    /// Its queue was deleted: nobody else has it.
    private func giveBackLastCopy(_ delivery: Delivery) async {
        guard lastCopies.contains(delivery.token.generation), case .actor(let name) = delivery.source else {
            return
        }
        let message = Message(
            to: .actor(name), id: (try? Envelope(parsing: delivery.body))?.id ?? "",
            body: delivery.body, priorDeliveries: delivery.priorDeliveries)
        do throws(TransportError) { try await publish(message, timeout: .seconds(10)) } catch {
            logger.error("a delivery from a deleted queue could not be given back", metadata: ["reason": "\(error)"])
        }
    }

    public func isLive(_ delivery: Delivery) -> Bool {
        let generation = delivery.token.generation
        return consumers[generation] != nil || (lastCopies.contains(generation) && !isStopped)
    }

    public func pause(_ source: Source) async {
        pausedSources.insert(source)
        await obeyPause(of: source)
    }

    public func resume(_ source: Source) async {
        pausedSources.remove(source)
        await obeyPause(of: source)
    }

    public func disconnect(from source: Source) async {
        guard let subscription = subscriptions[source] else { return }
        await consumers[subscription.generation]?.lose()
    }

    private func obeyPause(of source: Source) async {
        guard let subscription = subscriptions[source], let consumer = consumers[subscription.generation] else {
            return
        }
        if pausedSources.contains(source) || isConsumingOver {
            await consumer.cancel()
        } else {
            await consumer.resume()
        }
    }

    public func stopConsuming() async {
        isConsumingOver = true
        for consumer in consumers.values { await consumer.cancel() }
        for source in subscriptions.keys {
            subscriptions[source]?.deliveries.finish()
            // A consumer that is open stays, so that its deliveries can be settled; one that is being dialed is not
            // wanted any more.
            if subscriptions[source]?.trouble != nil { subscriptions[source]?.task?.cancel() }
        }
    }

    // MARK: Publishing

    public func publish(_ message: Message, timeout: Duration? = nil) async throws(TransportError) {
        let deadline = timeout.map { MonotonicTime.now.advanced(by: $0) }
        var amqpMessage = try amqpMessage(message)
        if let delay = message.effectiveDelay {
            let level = DelayLevel(nearest: delay)
            try await prepare(level, until: deadline)
            amqpMessage.exchange = topology.delayExchange(level)
        }
        let publisher = try await connectedPublisher(until: deadline)
        let outcome = await publisher.publish(
            amqpMessage, timeout: deadline.map { max(.zero, MonotonicTime.now.duration(to: $0)) })
        switch outcome {
        case .confirmed: return
        case .returned(let reason): throw TransportError(.unroutable, "no queue for \(message.destination): \(reason)")
        case .refused: throw TransportError(.refused, "the broker refused a message for \(message.destination)")
        case .lost(let error) where error.code == .timeout:
            let blocked = await publisher.blockedReason.map { "; the broker blocks publishers: \($0)" } ?? ""
            throw TransportError(.timeout, error.message + blocked)
        case .lost(let error): throw TransportError(.connectionLost, error.message)
        }
    }

    private func amqpMessage(_ message: Message) throws(TransportError) -> Publisher.Message {
        // AMQP's short strings hold 255 bytes.
        let id = message.id.truncated(toUTF8Bytes: 255)
        switch message.destination {
        case .actor(let name):
            guard topology.queue(of: name).utf8.count <= 255 else {
                throw TransportError(
                    .unroutable, "no queue can have a name as long as this actor's: \(name.prefix(40))...")
            }
            return Publisher.Message(
                exchange: topology.exchange, routingKey: topology.routingKey(of: name), messageID: id,
                body: message.body,
                headers: message.priorDeliveries > 0
                    ? [Delivery.countHeader: .integer(Int64(message.priorDeliveries))] : [:])
        case .statusReports(let kind):
            // Progress is not mandatory: the next report tells more. Nor are events: nobody is there to hear them.
            return Publisher.Message(
                exchange: topology.reportExchange, routingKey: kind.rawValue, messageID: id, body: message.body,
                isMandatory: kind != .progress && kind != .emitted)
        case .control:
            return Publisher.Message(
                exchange: topology.controlExchange, routingKey: "", messageID: id, body: message.body,
                isMandatory: false)
        case .controlInbox(let inbox):
            return Publisher.Message(
                exchange: "", routingKey: topology.controlInbox(inbox), messageID: id, body: message.body)
        case .controlRequests:
            return Publisher.Message(
                exchange: "", routingKey: topology.controlRequestQueue, messageID: id, body: message.body)
        case .deadLetters(let actor, let reason):
            return Publisher.Message(
                exchange: topology.deadLetterExchange, routingKey: topology.routingKey(of: actor), messageID: id,
                body: message.body, headers: [DeadLetter.reasonHeader: .string(reason.truncated(toUTF8Bytes: 2048))])
        }
    }

    /// Declares a level's queue before the first message for it.
    private func prepare(_ level: DelayLevel, until deadline: MonotonicTime?) async throws(TransportError) {
        if delayLevels.contains(level) { return }
        let declaration =
            declarations[level] ?? Task(executorPreference: loop) { await self.declared(level, until: deadline) }
        declarations[level] = declaration
        try await declaration.value.get()
    }

    private func declared(_ level: DelayLevel, until deadline: MonotonicTime?) async -> Result<Void, TransportError> {
        defer { declarations[level] = nil }
        do throws(TransportError) {
            try await declare("delay queue", until: deadline) { [topology] (link) throws(AMQPError) in
                try topology.declare(level, on: link)
            }
        } catch { return .failure(error) }
        delayLevels.insert(level)
        return .success(())
    }

    private func connectedPublisher(until deadline: MonotonicTime?) async throws(TransportError) -> Publisher {
        while true {
            if isStopped { throw TransportError(.stopped, "the transport has been shut down") }
            if let publisher { return publisher }
            if publisherTask == nil { publisherTask = Task(executorPreference: loop) { await self.keepPublisher() } }
            if let deadline, deadline <= .now {
                throw TransportError(.timeout, "no connection to the broker: \(publisherTrouble)")
            }
            await publisherChange(until: deadline)
        }
    }

    /// Returns when a publisher is there, the transport stops, or `deadline` comes.
    private func publisherChange(until deadline: MonotonicTime?) async {
        lastWaiter += 1
        let number = lastWaiter
        await withCheckedContinuation { continuation in
            // It may have come while we were on our way here.
            if publisher != nil || isStopped { return continuation.resume() }
            waitingForPublisher[number] = continuation
            if let deadline {
                loop.schedule(after: MonotonicTime.now.duration(to: deadline)) { [weak self] in
                    self?.assumeIsolated { $0.waitingForPublisher.removeValue(forKey: number)?.resume() }
                }
            }
        }
    }

    private func keepPublisher() async {
        var backoff = Backoff()
        let topology = topology
        while !Task.isCancelled {
            let (ends, end) = AsyncStream<AMQPError>.makeStream()
            var reason = AMQPError(.connectionLost, "stopped")
            do throws(AMQPError) {
                let opened = try await Publisher.open(topology.settings.endpoint, on: loop) {
                    (link) throws(AMQPError) in
                    try topology.declareExchanges(on: link)
                } onEnd: { [weak self] error in
                    self?.assumeIsolated { $0.publisher = nil }
                    end.yield(error)
                }
                guard !Task.isCancelled else { return await opened.close() }
                publisher = opened
                // Somebody may have deleted their queues meanwhile.
                delayLevels = []
                backoff.reset()
                await opened.start()
                wakeWaiters()
                for await error in ends {
                    reason = error
                    break
                }
            } catch { reason = error }
            guard !Task.isCancelled else { return }
            let wait = backoff.next()
            publisherTrouble = reason.message
            logger.warning("not publishing", metadata: ["reason": "\(reason)", "retry_in": "\(wait.inWords)"])
            await loop.sleep(for: wait)
        }
    }

    private func wakeWaiters() {
        let waiting = waitingForPublisher.values
        waitingForPublisher = [:]
        for waiter in waiting { waiter.resume() }
    }

    // MARK: Life

    /// Connects the publisher ahead of the first publish.
    public func connect() {
        if publisherTask == nil && !isStopped {
            publisherTask = Task(executorPreference: loop) { await self.keepPublisher() }
        }
    }

    public func shutdown() async {
        guard !isStopped else { return }
        isStopped = true
        publisherTask?.cancel()
        for subscription in subscriptions.values {
            subscription.task?.cancel()
            subscription.deliveries.finish()
        }
        wakeWaiters()
        let (consumers, publisher) = (consumers.values, publisher)
        self.consumers = [:]
        self.publisher = nil
        for consumer in consumers { await consumer.close() }
        await publisher?.close()
    }

    public func blockedReason() async -> String? { await publisher?.blockedReason }

    public func impediment() async -> String? {
        for (source, subscription) in subscriptions {
            if let trouble = subscription.trouble { return "not consuming \(topology.queue(of: source)): \(trouble)" }
        }
        guard publisherTask != nil else { return nil }
        guard let publisher else { return "not publishing: \(publisherTrouble)" }
        return await publisher.blockedReason.map { "the broker blocks publishers: \($0)" }
    }
}

extension Message.Destination: CustomStringConvertible {
    public var description: String {
        switch self {
        case .actor(let name): "actor '\(name)'"
        case .statusReports: "status reports"
        case .control: "all sidecars"
        case .controlInbox(let name): "the sidecar '\(name)'"
        case .controlRequests: "the gateways"
        case .deadLetters(let actor, _): "dead letters of '\(actor)'"
        }
    }
}

extension String {
    /// The longest beginning that fits, whole characters only.
    fileprivate func truncated(toUTF8Bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
