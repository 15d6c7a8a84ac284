internal import CRabbitMQ
internal import DequeModule
public import EventLoops
internal import Glibc

/// One connection that publishes with confirms. It lives until it is closed or the broker ends it; a new one takes its
/// place then.
///
/// It never blocks its loop: it sends only what the kernel takes at once, a large body frame by frame.
public actor Publisher {
    public struct Message: Sendable {
        public var exchange: String
        public var routingKey: String
        public var messageID: String
        public var body: [UInt8]
        /// Unroutable messages come back as `.returned` instead of vanishing.
        public var isMandatory: Bool
        public var headers: [String: Field]

        public init(
            exchange: String, routingKey: String, messageID: String, body: [UInt8], isMandatory: Bool = true,
            headers: [String: Field] = [:]
        ) {
            self.exchange = exchange
            self.routingKey = routingKey
            self.messageID = messageID
            self.body = body
            self.isMandatory = isMandatory
            self.headers = headers
        }
    }

    public enum Outcome: Sendable, Hashable {
        /// The broker has it safe.
        case confirmed
        /// No queue takes it.
        case returned(String)
        /// The broker said no (`basic.nack`): a full queue, an internal error.
        case refused
        /// The connection ended first: it may or may not have arrived.
        case lost(AMQPError)
    }

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Why the broker takes no publishes just now (an alarm), if so.
    public private(set) var blockedReason: String?

    /// Messages that wait for their turn.
    public var backlog: Int { queue.count }

    private var link: Link?
    private let onEnd: @Sendable (AMQPError) -> Void
    private var queue: Deque<(message: Message, ticket: Ticket)> = []
    private var window = ConfirmWindow<Ticket>()
    /// Bytes of the first queued message's body that are sent, when it is under way frame by frame.
    private var sentOfFirst: Int?
    private var assembler = MessageAssembler<(routingKey: String, reason: String)>()
    private var isWaitingForRoom = false
    private var willSend = false
    private var heartbeat: EventLoop.Timer?

    /// - Parameters:
    ///   - setUp: declares what is needed; runs on a thread of its own and may block.
    ///   - onEnd: is called once, on `loop`, when the connection is lost.
    public static func open(
        _ endpoint: Endpoint, on loop: EventLoop, setUp: @escaping @Sendable (Link) throws(AMQPError) -> Void,
        onEnd: @escaping @Sendable (AMQPError) -> Void
    ) async throws(AMQPError) -> Publisher {
        let link = try await Link.dial(endpoint) { (link) throws(AMQPError) in
            try setUp(link)
            try link.startConfirms()
        }
        return Publisher(link: link, loop: loop, onEnd: onEnd)
    }

    private init(link: Link, loop: EventLoop, onEnd: @escaping @Sendable (AMQPError) -> Void) {
        self.link = link
        self.loop = loop
        self.onEnd = onEnd
    }

    /// Begins to read, and to keep the connection alive: call once, and soon.
    public func start() {
        guard let link else { return }
        loop.watch(link.descriptor, for: .readable) { [weak self] readiness in
            self?.assumeIsolated { $0.ready(readiness) }
        }
        scheduleHeartbeat(every: link.heartbeatInterval)
        // The set-up may have read more than its answers.
        read()
    }

    /// Queues the message and returns what became of it. After `timeout` without an answer that is `.lost` with code
    /// `.timeout`; a message that was still waiting for its turn is never sent then. What AMQP cannot carry is `.lost`
    /// with code `.protocol`, and costs nobody else the connection.
    public func publish(_ message: Message, timeout: Duration? = nil) async -> Outcome {
        await withCheckedContinuation { waiter in
            guard let link else {
                let reason = AMQPError(.connectionLost, "the connection to the broker has ended")
                return waiter.resume(returning: .lost(reason))
            }
            if let excess = message.excess(frameCapacity: link.frameCapacity) {
                return waiter.resume(returning: .lost(AMQPError(.protocol, excess)))
            }
            let ticket = Ticket(waiter)
            if let timeout {
                ticket.timer = loop.schedule(after: timeout) { [weak self] in
                    self?.assumeIsolated { $0.expire(ticket, AMQPError(.timeout, "no confirm within \(timeout)")) }
                }
            }
            queue.append((message, ticket))
            sendAtEndOfTurn()
        }
    }

    /// Whoever waits for the outcome of one publish; answered once.
    // @unchecked: touched on the loop only.
    private final class Ticket: @unchecked Sendable {
        var waiter: CheckedContinuation<Outcome, Never>?
        var timer: EventLoop.Timer?

        init(_ waiter: CheckedContinuation<Outcome, Never>) { self.waiter = waiter }
    }

    private func expire(_ ticket: Ticket, _ reason: AMQPError) {
        answer(ticket, .lost(reason))
        // While the broker blocks publishers, nobody else would come and take it out. One that is under way goes on.
        guard let index = queue.firstIndex(where: { $0.ticket === ticket }), index > 0 || sentOfFirst == nil else {
            return
        }
        queue.remove(at: index)
    }

    private func answer(_ ticket: Ticket, _ outcome: Outcome) {
        if let timer = ticket.timer { loop.cancel(timer) }
        ticket.waiter?.resume(returning: outcome)
        ticket.waiter = nil
    }

    /// Ends the connection; what is unconfirmed counts as lost.
    public func close() async {
        guard let link = detach(AMQPError(.connectionLost, "the connection was closed")) else { return }
        await BlockingThread.run { link.close() }
    }

    // MARK: Sending

    /// What a turn of the loop has gathered goes out in one go: the kernel is asked for room once, and the broker is woken
    /// once.
    private func sendAtEndOfTurn() {
        guard !willSend else { return }
        willSend = true
        loop.atEndOfTurn { [weak self] in
            self?.assumeIsolated {
                $0.willSend = false
                $0.send()
            }
        }
    }

    private func send() {
        guard let link else { return }
        if queue.count > 1 { link.setCorked(true) }
        // What has ended has closed its descriptor, which may be somebody else's by now.
        defer { if self.link != nil { link.setCorked(false) } }
        attempt { () throws(AMQPError) in
            var room = 0
            while let (message, ticket) = queue.first, blockedReason == nil {
                let size = message.size
                if size > room { room = link.roomToSend }
                guard room > 0 else { return waitForRoom() }
                if size <= room && message.body.count <= link.frameCapacity && sentOfFirst == nil {
                    try sendWhole(message, over: link)
                    room -= size
                } else {
                    let isLast = try sendFrame(of: message, upTo: room, over: link)
                    room = 0
                    if !isLast { continue }
                }
                queue.removeFirst()
                sentOfFirst = nil
                window.sent(ticket, messageID: message.messageID, routingKey: message.routingKey)
            }
        }
        if link.holdsFrames { loop.atEndOfTurn { [weak self] in self?.assumeIsolated { $0.read() } } }
    }

    private func sendWhole(_ message: Message, over link: Link) throws(AMQPError) {
        var (exchange, routingKey, id) = (message.exchange, message.routingKey, message.messageID)
        let arena = message.headers.isEmpty ? nil : Arena()
        let status = exchange.withAMQPBytes { exchange in
            routingKey.withAMQPBytes { routingKey in
                id.withAMQPBytes { id in
                    message.body.withUnsafeBytes { body in
                        var properties = properties(id: id, headers: arena?.table(message.headers))
                        return amqp_basic_publish(
                            link.handle, link.channel, exchange, routingKey, message.isMandatory ? 1 : 0, 0,
                            &properties, amqp_bytes_t(body))
                    }
                }
            }
        }
        try link.check(status, "publishing")
    }

    /// Sends the next frame of a large message, of a size that the kernel has room for; returns whether it was the
    /// last.
    private func sendFrame(of message: Message, upTo room: Int, over link: Link) throws(AMQPError) -> Bool {
        let arena = Arena()
        guard let sent = sentOfFirst else {
            var publish = amqp_basic_publish_t(
                ticket: 0, exchange: arena.bytes(message.exchange), routing_key: arena.bytes(message.routingKey),
                mandatory: message.isMandatory ? 1 : 0, immediate: 0)
            try link.check(amqp_send_method(link.handle, link.channel, methodID(60, 40), &publish), "publishing")
            var properties = properties(
                id: arena.bytes(message.messageID),
                headers: message.headers.isEmpty ? nil : arena.table(message.headers))
            let status = withUnsafeMutablePointer(to: &properties) { properties in
                var header = amqp_frame_t()
                header.frame_type = UInt8(AMQP_FRAME_HEADER)
                header.channel = link.channel
                header.payload.properties.class_id = 60
                header.payload.properties.body_size = UInt64(message.body.count)
                header.payload.properties.decoded = UnsafeMutableRawPointer(properties)
                return amqp_send_frame(link.handle, &header)
            }
            try link.check(status, "publishing")
            sentOfFirst = 0
            return false
        }
        let count = min(link.frameCapacity, message.body.count - sent, room)
        let status = message.body.withUnsafeBytes { body in
            var frame = amqp_frame_t()
            frame.frame_type = UInt8(AMQP_FRAME_BODY)
            frame.channel = link.channel
            frame.payload.body_fragment = amqp_bytes_t(UnsafeRawBufferPointer(rebasing: body[sent..<(sent + count)]))
            return amqp_send_frame(link.handle, &frame)
        }
        try link.check(status, "publishing")
        sentOfFirst = sent + count
        return sent + count == message.body.count
    }

    private func properties(id: amqp_bytes_t, headers: amqp_table_t?) -> amqp_basic_properties_t {
        var properties = amqp_basic_properties_t()
        properties._flags = UInt32(
            AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG
                | AMQP_BASIC_TIMESTAMP_FLAG)
        properties.content_type = jsonContentType
        properties.delivery_mode = 2
        properties.message_id = id
        properties.timestamp = UInt64(time(nil))
        if let headers {
            properties._flags |= UInt32(AMQP_BASIC_HEADERS_FLAG)
            properties.headers = headers
        }
        return properties
    }

    private func waitForRoom() {
        guard let link, !isWaitingForRoom else { return }
        isWaitingForRoom = true
        loop.rewatch(link.descriptor, for: [.readable, .writable])
    }

    // MARK: Reading

    private func ready(_ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable), let link {
            isWaitingForRoom = false
            loop.rewatch(link.descriptor, for: .readable)
            send()
        }
        read()
    }

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
            if let complete = assembler.take(frame) {
                window.returned(
                    messageID: complete.properties.messageID ?? "", routingKey: complete.method.routingKey,
                    reason: complete.method.reason)
            }
            return
        }
        let method = frame.payload.method
        switch method.id {
        case methodID(60, 80):
            guard let ack = method.decoded?.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee else { return }
            settle(ack.delivery_tag, multiple: ack.multiple != 0, isAck: true)
        case methodID(60, 120):
            guard let nack = method.decoded?.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee else { return }
            settle(nack.delivery_tag, multiple: nack.multiple != 0, isAck: false)
        case methodID(60, 50):
            guard let back = method.decoded?.assumingMemoryBound(to: amqp_basic_return_t.self).pointee else { return }
            assembler.begin((back.routing_key.string, "\(back.reply_code) \(back.reply_text.string)"))
        case methodID(10, 60):
            let blocked = method.decoded?.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            blockedReason = blocked?.reason.string ?? "blocked"
        case methodID(10, 61):
            blockedReason = nil
            send()
        default:
            if let reason = link.closeReason(of: method) { throw reason }
        }
    }

    private func settle(_ number: UInt64, multiple: Bool, isAck: Bool) {
        for (ticket, outcome) in window.settled(number, multiple: multiple, isAck: isAck) {
            switch outcome {
            case .confirmed: answer(ticket, .confirmed)
            case .returned(let reason): answer(ticket, .returned(reason))
            case .refused: answer(ticket, .refused)
            }
        }
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

    /// Runs a step; its failure ends the publisher.
    private func attempt(_ step: () throws(AMQPError) -> Void) {
        do throws(AMQPError) { try step() } catch {
            if detach(error) != nil { onEnd(error) }
        }
    }

    private func detach(_ reason: AMQPError) -> Link? {
        guard let link else { return nil }
        loop.unwatch(link.descriptor)
        if let heartbeat { loop.cancel(heartbeat) }
        self.link = nil
        let unanswered = window.drain() + queue.map(\.ticket)
        queue.removeAll()
        for ticket in unanswered { answer(ticket, .lost(reason)) }
        return link
    }
}

extension Publisher.Message {
    /// About what it takes on the wire.
    fileprivate var size: Int { body.count + headerSize + 512 }

    private var headerSize: Int {
        headers.reduce(exchange.utf8.count + routingKey.utf8.count + messageID.utf8.count) { sum, header in
            guard case .string(let text) = header.value else { return sum + header.key.utf8.count + 16 }
            return sum + header.key.utf8.count + text.utf8.count + 16
        }
    }

    /// What of it is too long for AMQP: short strings hold 255 bytes, and all headers must fit into one frame.
    fileprivate func excess(frameCapacity: Int) -> String? {
        for (name, text) in [("exchange", exchange), ("routing key", routingKey), ("message id", messageID)]
        where text.utf8.count > 255 {
            return "the \(name) of a message is longer than 255 bytes"
        }
        if headers.keys.contains(where: { $0.utf8.count > 255 }) { return "a header's name is longer than 255 bytes" }
        return headerSize + 512 > frameCapacity ? "the headers of a message do not fit into a frame" : nil
    }
}

private let contentType: StaticString = "application/json"

private var jsonContentType: amqp_bytes_t {
    amqp_bytes_t(UnsafeRawBufferPointer(start: contentType.utf8Start, count: contentType.utf8CodeUnitCount))
}

extension String {
    /// Its bytes, for the time of one call that only reads them.
    fileprivate mutating func withAMQPBytes<Value>(_ body: (amqp_bytes_t) -> Value) -> Value {
        withUTF8 { body(amqp_bytes_t(UnsafeRawBufferPointer($0))) }
    }
}

extension amqp_bytes_t {
    /// Points into `buffer`, for the time of one call that only reads it.
    fileprivate init(_ buffer: UnsafeRawBufferPointer) {
        self.init(len: buffer.count, bytes: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
    }
}
