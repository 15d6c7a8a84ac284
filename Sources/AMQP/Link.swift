internal import CEpoll
internal import CRabbitMQ
internal import EventLoops
internal import Glibc

/// One connection to the broker with one channel: rabbitmq-c's handle and the calls that we make on it.
///
/// `dial` and the set-up calls block and belong on a `BlockingThread`; `nextFrame` and the `send` calls do not block
/// and belong on the event loop of the actor that owns the link.
// @unchecked: a link is used by one thread at a time. The dialing thread hands it over when `dial` returns and keeps
// nothing.
public final class Link: @unchecked Sendable {
    let handle: amqp_connection_state_t
    /// All traffic of ours runs on this one; set-up steps that may fail use others, which the broker closes on failure.
    let channel: amqp_channel_t = 1
    private var lastScratchChannel: amqp_channel_t = 1
    /// Host and port of the broker.
    let address: String
    /// Kept here, because the library forgets it when it closes the socket: on a missing heartbeat for instance.
    private(set) var descriptor: Int32 = -1
    private var isCorked = false

    private init(handle: amqp_connection_state_t, address: String) {
        self.handle = handle
        self.address = address
    }

    deinit { amqp_destroy_connection(handle) }

    var heartbeatSeconds: Int { Int(amqp_get_heartbeat(handle)) }
    /// Bytes of a message's body that fit into one frame.
    var frameCapacity: Int { Int(amqp_get_frame_max(handle)) - 8 }

    // MARK: Dialing (blocks)

    /// Connects, logs in and opens the channel. Blocks, `endpoint.timeout` at most for each of these.
    public static func dial(_ endpoint: Endpoint) throws(AMQPError) -> Link {
        guard let handle = amqp_new_connection() else { throw AMQPError(.protocol, "no memory for a connection") }
        let link = Link(handle: handle, address: endpoint.address)
        let step = "connecting to the broker at \(endpoint.address)"
        var timeout = timeval(endpoint.timeout)
        amqp_set_handshake_timeout(handle, &timeout)
        amqp_set_rpc_timeout(handle, &timeout)

        let socket = try makeSocket(handle, endpoint.tls, step)
        let status = amqp_socket_open_noblock(socket, endpoint.host, Int32(endpoint.port), &timeout)
        guard status == AMQP_STATUS_OK.rawValue else {
            let error = AMQPError(status: status, during: step)
            throw error.code == .tls ? error : AMQPError(.unreachable, error.message)
        }
        link.descriptor = amqp_get_sockfd(handle)
        // Without these the broker would neither tell that a consumer was cancelled nor that it blocks publishers.
        let arena = Arena()
        var properties = arena.table(
            [
                "connection_name": .string(endpoint.connectionName), "product": "troupe",
                "capabilities": .table([
                    "authentication_failure_close": true, "basic.nack": true, "connection.blocked": true,
                    "consumer_cancel_notify": true, "publisher_confirms": true,
                ]),
            ])
        let reply = troupe_amqp_login(
            handle, endpoint.virtualHost, 131_072, Int32(endpoint.heartbeatSeconds), &properties, endpoint.username,
            endpoint.password)
        try link.check(reply, "logging in at \(endpoint.address) as '\(endpoint.username)'")
        amqp_channel_open(handle, link.channel)
        try link.check(amqp_get_rpc_reply(handle), "opening a channel")
        return link
    }

    /// Dials and sets up on a thread of its own.
    /// - Parameter setUp: declares what is needed; may block.
    public static func dial(
        _ endpoint: Endpoint, setUp: @escaping @Sendable (Link) throws(AMQPError) -> Void
    ) async throws(AMQPError) -> Link {
        try await BlockingThread.run { () throws(AMQPError) in
            let link = try Link.dial(endpoint)
            try setUp(link)
            return link
        }
    }

    private static func makeSocket(
        _ handle: amqp_connection_state_t, _ tls: Endpoint.TLS?, _ step: String
    ) throws(AMQPError) -> OpaquePointer {
        guard let tls else {
            guard let socket = amqp_tcp_socket_new(handle) else { throw AMQPError(.unreachable, "\(step): no socket") }
            return socket
        }
        guard let socket = amqp_ssl_socket_new(handle) else { throw AMQPError(.tls, "\(step): no TLS socket") }
        guard amqp_ssl_socket_set_cacert(socket, tls.authorities) == AMQP_STATUS_OK.rawValue else {
            throw AMQPError(.tls, "\(step): cannot read the authorities' certificates in '\(tls.authorities)'")
        }
        if let identity = tls.identity {
            guard amqp_ssl_socket_set_key(socket, identity.certificate, identity.key) == AMQP_STATUS_OK.rawValue else {
                throw AMQPError(
                    .tls,
                    "\(step): cannot use the client certificate '\(identity.certificate)' with key '\(identity.key)'")
            }
        }
        amqp_ssl_socket_set_verify_peer(socket, 1)
        amqp_ssl_socket_set_verify_hostname(socket, 1)
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
        return socket
    }

    // MARK: Set-up (blocks)

    public func declareExchange(_ name: String, type: String) throws(AMQPError) {
        let arena = Arena()
        amqp_exchange_declare(
            handle, channel, arena.bytes(name), arena.bytes(type), 0, 1, 0, 0, amqp_empty_table)
        try check(amqp_get_rpc_reply(handle), "declaring exchange '\(name)'")
    }

    /// Whether a queue of that name is there, whatever its arguments.
    public func queueExists(_ name: String) throws(AMQPError) -> Bool { try length(ofQueue: name) != nil }

    /// How many messages wait in a queue; `nil` where there is no such queue.
    public func length(ofQueue name: String) throws(AMQPError) -> Int? {
        try counts(ofQueues: [name])[name]?.messages
    }

    public struct QueueCounts: Sendable {
        /// Ready ones: those that a consumer has are not counted.
        public var messages: Int
        public var consumers: Int
    }

    /// What waits in each of these queues; nothing for those that are not there.
    public func counts(ofQueues names: [String]) throws(AMQPError) -> [String: QueueCounts] {
        var counts: [String: QueueCounts] = [:]
        let scratch = try openScratchChannel()
        var isOpen = true
        // No queue has a longer name.
        for name in names where name.utf8.count <= 255 {
            if !isOpen { try open(scratch) }
            isOpen = true
            let arena = Arena()
            let reply = amqp_queue_declare(handle, scratch, arena.bytes(name), 1, 0, 0, 0, amqp_empty_table)
            // It is the library's, and goes with its next answer.
            counts[name] = reply.map {
                QueueCounts(messages: Int($0.pointee.message_count), consumers: Int($0.pointee.consumer_count))
            }
            do {
                try check(amqp_get_rpc_reply(handle), "looking for queue '\(name)'", channel: scratch)
            } catch {
                // The broker has closed the channel with its answer.
                guard error.code == .notFound else { throw error }
                isOpen = false
            }
        }
        if isOpen { try closeScratchChannel(scratch) }
        return counts
    }

    /// A durable queue that several connections share.
    public func declareQueue(_ name: String, arguments: [String: Field]) throws(AMQPError) {
        let scratch = try openScratchChannel()
        let arena = Arena()
        amqp_queue_declare(handle, scratch, arena.bytes(name), 0, 1, 0, 0, arena.table(arguments))
        try check(amqp_get_rpc_reply(handle), "declaring queue '\(name)'", channel: scratch)
        try closeScratchChannel(scratch)
    }

    public func bindQueue(_ queue: String, exchange: String, routingKey: String) throws(AMQPError) {
        let arena = Arena()
        amqp_queue_bind(
            handle, channel, arena.bytes(queue), arena.bytes(exchange), arena.bytes(routingKey), amqp_empty_table)
        try check(amqp_get_rpc_reply(handle), "binding queue '\(queue)' to exchange '\(exchange)' as '\(routingKey)'")
    }

    func limitUnsettled(to prefetch: Int) throws(AMQPError) {
        amqp_basic_qos(handle, channel, 0, UInt16(clamping: prefetch), 0)
        try check(amqp_get_rpc_reply(handle), "setting prefetch \(prefetch)")
    }

    func startConsuming(_ queue: String, tag: String) throws(AMQPError) {
        let arena = Arena()
        amqp_basic_consume(
            handle, channel, arena.bytes(queue), arena.bytes(tag), 0, 0, 0, amqp_empty_table)
        try check(amqp_get_rpc_reply(handle), "consuming from queue '\(queue)'")
    }

    func startConfirms() throws(AMQPError) {
        amqp_confirm_select(handle, channel)
        try check(amqp_get_rpc_reply(handle), "asking for publisher confirms")
    }

    /// Says good-bye; blocks for a second at most. A broker that does not read is left without a word: telling it would
    /// block for as long.
    public func close() {
        guard roomToSend > 0 else { return }
        var timeout = timeval(.seconds(1))
        amqp_set_rpc_timeout(handle, &timeout)
        _ = amqp_connection_close(handle, AMQP_REPLY_SUCCESS)
    }

    private func openScratchChannel() throws(AMQPError) -> amqp_channel_t {
        lastScratchChannel += 1
        try open(lastScratchChannel)
        return lastScratchChannel
    }

    private func open(_ scratch: amqp_channel_t) throws(AMQPError) {
        amqp_channel_open(handle, scratch)
        try check(amqp_get_rpc_reply(handle), "opening a channel")
    }

    private func closeScratchChannel(_ scratch: amqp_channel_t) throws(AMQPError) {
        try check(amqp_channel_close(handle, scratch, AMQP_REPLY_SUCCESS), "closing a channel")
    }

    func check(_ reply: amqp_rpc_reply_t, _ step: String, channel: amqp_channel_t? = nil) throws(AMQPError) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            let error = closeReason(reply.reply, during: step)
            if let channel, reply.reply.id == methodID(20, 40) {
                var ok = amqp_channel_close_ok_t()
                amqp_send_method(handle, channel, methodID(20, 41), &ok)
            }
            throw error
        default: throw AMQPError(status: reply.library_error, during: step)
        }
    }

    // MARK: Traffic (does not block)

    /// The next frame that has arrived, `nil` when there is none. Sends a heartbeat when one is due, so it must be
    /// called at least twice in a heartbeat's time.
    func nextFrame() throws(AMQPError) -> amqp_frame_t? {
        var frame = amqp_frame_t()
        var noWait = timeval()
        switch amqp_simple_wait_frame_noblock(handle, &frame, &noWait) {
        case AMQP_STATUS_OK.rawValue: return frame
        case AMQP_STATUS_TIMEOUT.rawValue: return nil
        case let status: throw AMQPError(status: status, during: "reading from the broker at \(address)")
        }
    }

    /// Gives back the memory of the frames that were read; what they pointed to is gone then.
    func releaseFrames() { amqp_maybe_release_buffers_on_channel(handle, channel) }

    func check(_ status: Int32, _ step: String) throws(AMQPError) {
        if status != AMQP_STATUS_OK.rawValue { throw AMQPError(status: status, during: step) }
    }

    /// Reads the reason out of `connection.close` and `channel.close`; `nil` for other methods.
    func closeReason(of method: amqp_method_t) -> AMQPError? {
        switch method.id {
        case methodID(10, 50): closeReason(method, during: "connection closed")
        case methodID(20, 40): closeReason(method, during: "channel closed")
        default: nil
        }
    }

    private func closeReason(_ method: amqp_method_t, during step: String) -> AMQPError {
        // connection.close and channel.close begin alike: reply_code, reply_text.
        guard let close = method.decoded?.assumingMemoryBound(to: amqp_channel_close_t.self).pointee else {
            return AMQPError(.closedByBroker, "\(step): broker closed the connection")
        }
        return AMQPError(replyCode: close.reply_code, text: close.reply_text.string, during: step)
    }

    /// Whether frames have been read that `nextFrame` has not given yet: the library reads ahead, also while it sends.
    /// The socket does not become readable for those.
    var holdsFrames: Bool { amqp_frames_enqueued(handle) != 0 || amqp_data_in_buffer(handle) != 0 }

    /// Whether the kernel holds back what is sent, until it is told otherwise: frames by the dozen then go in few packets
    /// (tcp(7), `TCP_CORK`).
    func setCorked(_ corked: Bool) {
        guard corked != isCorked else { return }
        isCorked = corked
        var value: Int32 = corked ? 1 : 0
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// How many bytes the kernel takes to send just now. Sending more would block the event loop until the broker
    /// reads: rabbitmq-c waits for that.
    var roomToSend: Int {
        var query = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // Writable means that a third of the buffer is free. A closed socket is so too: sending tells what happened to
        // it.
        guard poll(&query, 1, 0) == 1, query.revents & Int16(POLLOUT) != 0 else { return 0 }
        let free = troupe_send_room(descriptor)
        // Bookkeeping of the kernel and of TLS takes its share. Where it is not told, a third of the least buffer is.
        return free < 0 ? 8 << 10 : max(2 << 10, (free - 4096) * 2 / 3)
    }
}

/// A method's number, by AMQP 0-9-1's class and method indices.
func methodID(_ class: UInt32, _ method: UInt32) -> amqp_method_number_t { `class` << 16 | method }

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
