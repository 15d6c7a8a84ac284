internal import CRabbitMQ
public import EventLoops

/// One connection that consumes one queue. It lives until it is closed or the broker ends it; a new one takes its place
/// then.
public actor Consumer {
    public struct Message: Sendable {
        public var tag: UInt64
        public var isRedelivered: Bool
        public var body: [UInt8]
        public var messageID: String?
        public var routingKey: String
        /// Seconds since 1970, as its publisher says.
        public var timestamp: Int?
        public var headers: [String: Field]
    }

    public enum Event: Sendable {
        case message(Message)
        /// The last event: nothing more comes, and nothing can be settled any more.
        case ended(AMQPError)
    }

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private struct Arrival {
        var tag: UInt64
        var isRedelivered: Bool
        var routingKey: String
    }

    private var link: Link?
    private let queue: String
    private var isConsuming: Bool
    /// Each subscription has a tag of its own: a quorum queue still counts on under one that it knows, and the broker
    /// (3.10) ends the connection then.
    private var tag: String { Self.tag(subscriptions) }
    private static func tag(_ number: Int) -> String { "troupe-\(number)" }
    private var subscriptions = 0
    private let handler: @Sendable (Event) -> Void
    private var assembler = MessageAssembler<Arrival>()
    private var acks = AckWindow()
    private var heartbeat: EventLoop.Timer?

    /// Connects, lets `setUp` declare what is needed, and asks for deliveries; they come after `start()`.
    /// - Parameters:
    ///   - prefetch: how many deliveries may be unsettled at a time, 1...65535.
    ///   - isConsuming: otherwise deliveries come after `resume()`.
    ///   - setUp: runs on a thread of its own and may block.
    ///   - handler: is called on `loop`.
    public static func open(
        _ endpoint: Endpoint, queue: String, prefetch: Int, isConsuming: Bool = true, on loop: EventLoop,
        setUp: @escaping @Sendable (Link) throws(AMQPError) -> Void, handler: @escaping @Sendable (Event) -> Void
    ) async throws(AMQPError) -> Consumer {
        let link = try await Link.dial(endpoint) { (link) throws(AMQPError) in
            try setUp(link)
            try link.limitUnsettled(to: prefetch)
            if isConsuming { try link.startConsuming(queue, tag: Self.tag(0)) }
        }
        return Consumer(link: link, queue: queue, isConsuming: isConsuming, loop: loop, handler: handler)
    }

    private init(
        link: Link, queue: String, isConsuming: Bool, loop: EventLoop, handler: @escaping @Sendable (Event) -> Void
    ) {
        self.link = link
        self.queue = queue
        self.isConsuming = isConsuming
        self.loop = loop
        self.handler = handler
    }

    /// Begins to read, and to keep the connection alive: call once, and soon.
    public func start() {
        guard let link else { return }
        loop.watch(link.descriptor, for: .readable) { [weak self] _ in self?.assumeIsolated { $0.read() } }
        scheduleHeartbeat(every: link.heartbeatInterval)
        // The set-up may have read the first deliveries already.
        read()
    }

    // MARK: Settling

    /// Acknowledges at the end of the loop's turn, many in one frame where possible.
    public func acknowledge(_ tag: UInt64) {
        if acks.acknowledge(tag) {
            loop.atEndOfTurn { [weak self] in self?.assumeIsolated { $0.flushAcks() } }
        }
    }

    /// Puts the delivery back into its queue.
    public func requeue(_ tag: UInt64) {
        guard let link, acks.forget(tag) else { return }
        attempt { () throws(AMQPError) in
            try link.check(amqp_basic_nack(link.handle, link.channel, tag, 0, 1), "handing a delivery back")
        }
    }

    /// Asks the broker for no more deliveries; those that are here can still be settled.
    public func cancel() {
        guard let link, isConsuming else { return }
        isConsuming = false
        let arena = Arena()
        var cancel = amqp_basic_cancel_t(consumer_tag: arena.bytes(tag), nowait: 1)
        attempt { () throws(AMQPError) in
            try link.check(
                amqp_send_method(link.handle, link.channel, methodID(60, 30), &cancel), "cancelling the consumer")
        }
    }

    /// Asks the broker for deliveries again, after `cancel()`. A queue that is gone by then ends the consumer.
    public func resume() {
        guard let link, !isConsuming else { return }
        isConsuming = true
        subscriptions += 1
        let arena = Arena()
        var consume = amqp_basic_consume_t(
            ticket: 0, queue: arena.bytes(queue), consumer_tag: arena.bytes(tag), no_local: 0, no_ack: 0, exclusive: 0,
            nowait: 1, arguments: amqp_empty_table)
        attempt { () throws(AMQPError) in
            try link.check(
                amqp_send_method(link.handle, link.channel, methodID(60, 20), &consume),
                "consuming from queue '\(queue)'")
        }
    }

    /// Ends the connection; the broker puts back what is unsettled.
    public func close() async {
        flushAcks()
        guard let link = detach() else { return }
        await BlockingThread.run { link.close() }
    }

    /// Ends the connection as the network might: acknowledgements that wait to be sent are lost, too.
    public func lose() async {
        guard let link = detach() else { return }
        handler(.ended(AMQPError(.connectionLost, "lost on purpose")))
        await BlockingThread.run { link.close() }
    }

    private func flushAcks() {
        guard let link else { return }
        for ack in acks.flush() {
            attempt { () throws(AMQPError) in
                try link.check(
                    amqp_basic_ack(link.handle, link.channel, ack.tag, ack.isMultiple ? 1 : 0),
                    "acknowledging a delivery")
            }
        }
        if link.holdsFrames { loop.atEndOfTurn { [weak self] in self?.assumeIsolated { $0.read() } } }
    }

    // MARK: Reading

    private func read() {
        guard let link else { return }
        attempt { () throws(AMQPError) in
            while self.link != nil, let frame = try link.nextFrame() {
                try handle(frame, of: link)
                link.releaseFrames()
            }
        }
    }

    private func handle(_ frame: amqp_frame_t, of link: Link) throws(AMQPError) {
        guard Int32(frame.frame_type) == AMQP_FRAME_METHOD else {
            if let complete = assembler.take(frame) { deliver(complete) }
            return
        }
        let method = frame.payload.method
        switch method.id {
        case methodID(60, 60):
            guard let deliver = method.decoded?.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee else {
                return
            }
            assembler.begin(
                Arrival(
                    tag: deliver.delivery_tag, isRedelivered: deliver.redelivered != 0,
                    routingKey: deliver.routing_key.string))
        case methodID(60, 30):
            throw AMQPError(.consumerCancelled, "the broker cancelled our consumer: its queue was deleted or moved")
        default:
            if let reason = link.closeReason(of: method) { throw reason }
        }
    }

    private func deliver(_ complete: MessageAssembler<Arrival>.Complete) {
        acks.delivered(complete.method.tag)
        handler(
            .message(
                Message(
                    tag: complete.method.tag, isRedelivered: complete.method.isRedelivered, body: complete.body,
                    messageID: complete.properties.messageID, routingKey: complete.method.routingKey,
                    timestamp: complete.properties.timestamp, headers: complete.properties.headers)))
    }

    // MARK: Life

    private func scheduleHeartbeat(every interval: Duration) {
        heartbeat = loop.schedule(after: interval) { [weak self] in
            self?.assumeIsolated {
                $0.read()
                if $0.link != nil { $0.scheduleHeartbeat(every: interval) }
            }
        }
    }

    /// Runs a step; its failure ends the consumer.
    private func attempt(_ step: () throws(AMQPError) -> Void) {
        do throws(AMQPError) { try step() } catch {
            if detach() != nil { handler(.ended(error)) }
        }
    }

    private func detach() -> Link? {
        guard let link else { return nil }
        loop.unwatch(link.descriptor)
        if let heartbeat { loop.cancel(heartbeat) }
        self.link = nil
        return link
    }
}

extension Link {
    /// How often to look after the connection when nothing happens on it.
    var heartbeatInterval: Duration {
        heartbeatSeconds > 0 ? .milliseconds(max(250, heartbeatSeconds * 1000 / 4)) : .seconds(30)
    }
}
