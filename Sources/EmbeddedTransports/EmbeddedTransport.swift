public import EventLoops
internal import SQLite
public import Transports

/// One client of an `EmbeddedBroker`, as one connection is of a server: its deliveries, what of them is unsettled, its
/// pauses. It is meant to be used by one component of the process, and shut down with it.
public actor EmbeddedTransport: AtomicTransport {
    public nonisolated var loop: EventLoop { broker.loop }
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let broker: EmbeddedBroker
    private var subscriptions: [Source: Subscription] = [:]
    private var pausedSources: Set<Source> = []
    /// Nobody else reads them, so they go with us.
    private var inboxes: Set<QueueName> = []
    private var isConsumingOver = false
    private var isStopped = false

    private struct Subscription {
        var consumer: QueueMachine.ConsumerID
        var prefetch: Int
        var deliveries: DeliveryStream
    }

    public init(_ broker: EmbeddedBroker) { self.broker = broker }

    /// On the broker's loop, as we are: nothing comes between.
    private func onBroker<Value: Sendable>(_ body: (isolated EmbeddedBroker) -> Value) -> Value {
        broker.assumeIsolated(body)
    }

    // MARK: Consuming

    public func declare(_ source: Source) async {
        await withCheckedContinuation { caller in
            if isStopped { return caller.resume() }
            noteInbox(source)
            onBroker { $0.declare(source.queues, by: ObjectIdentifier(self), caller) }
        }
    }

    public func deliveries(from source: Source, prefetch: Int) -> DeliveryStream {
        let isBrokerClosed = onBroker { $0.isClosed }
        guard !isStopped, !isConsumingOver, !isBrokerClosed, subscriptions[source] == nil else {
            return .ended
        }
        let stream = DeliveryStream()
        noteInbox(source)
        let isPaused = pausedSources.contains(source)
        let consumer = onBroker { $0.subscribe(to: source, prefetch: prefetch, isPaused: isPaused, stream) }
        subscriptions[source] = Subscription(consumer: consumer, prefetch: prefetch, deliveries: stream)
        return stream
    }

    private func noteInbox(_ source: Source) { if case .control = source { inboxes.insert(source.queue) } }

    public func pause(_ source: Source) {
        pausedSources.insert(source)
        if let consumer = subscriptions[source]?.consumer { onBroker { $0.pause(consumer) } }
    }

    public func resume(_ source: Source) {
        pausedSources.remove(source)
        if let consumer = subscriptions[source]?.consumer { onBroker { $0.resume(consumer) } }
    }

    public func disconnect(from source: Source) {
        guard !isConsumingOver, let subscription = subscriptions[source] else { return }
        let isPaused = pausedSources.contains(source)
        subscriptions[source]?.consumer = onBroker { broker in
            broker.leave(subscription.consumer)
            return broker.subscribe(
                to: source, prefetch: subscription.prefetch, isPaused: isPaused, subscription.deliveries)
        }
    }

    public func settle(_ delivery: Delivery, _ settlement: Settlement) async {
        let message = HeldMessage(delivery)
        switch settlement {
        case .acknowledge: await broker.acknowledge(message)
        case .requeue: onBroker { $0.giveBack(message) }
        }
    }

    /// Nobody takes a delivery away from us but we ourselves.
    public func isLive(_ delivery: Delivery) -> Bool {
        !isStopped && subscriptions[delivery.source]?.consumer == delivery.token.generation
    }

    public func stopConsuming() {
        isConsumingOver = true
        for subscription in subscriptions.values {
            subscription.deliveries.finish()
            onBroker { $0.retire(subscription.consumer) }
        }
    }

    // MARK: Publishing

    public func publish(_ message: Message, timeout: Duration?) async throws(TransportError) {
        for result in await publish([message], settling: nil, timeout: timeout) { try result.get() }
    }

    public func publish(
        _ messages: [Message], acknowledging delivery: Delivery?, timeout: Duration?
    ) async -> [Result<Void, TransportError>] {
        await publish(messages, settling: delivery.map(HeldMessage.init), timeout: timeout)
    }

    private func publish(
        _ messages: [Message], settling message: HeldMessage?, timeout: Duration?
    ) async -> [Result<Void, TransportError>] {
        if isStopped { return messages.map { _ in .failure(.stopped) } }
        return await broker.publish(messages, settling: message, timeout: timeout)
    }

    // MARK: Life

    public func shutdown() {
        guard !isStopped else { return }
        stopConsuming()
        isStopped = true
        for subscription in subscriptions.values { onBroker { $0.leave(subscription.consumer) } }
        onBroker { $0.stopDeclaring(by: ObjectIdentifier(self)) }
        for inbox in inboxes { onBroker { $0.forget(inbox) } }
    }

    public func blockedReason() -> String? {
        let trouble = onBroker { $0.trouble }
        return trouble?.code == .diskFull ? trouble?.message : nil
    }

    public func impediment() -> String? {
        let (isClosed, trouble) = onBroker { ($0.isClosed, $0.trouble) }
        if isClosed || isStopped { return "the embedded broker is closed" }
        return trouble.map { "the embedded broker cannot write: \($0.message)" }
    }
}

extension HeldMessage {
    fileprivate init(_ delivery: Delivery) {
        self.init(
            queue: delivery.source.queue, consumer: delivery.token.generation,
            place: Place(truncatingIfNeeded: delivery.token.tag))
    }
}
