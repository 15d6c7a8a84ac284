internal import CRabbitMQ

/// Puts a message together from its frames: a method, a header, then as many body frames as its size says.
struct MessageAssembler<Method> {
    struct Complete {
        var method: Method
        var body: [UInt8]
        var properties = MessageProperties()
    }

    private var pending: Complete?
    /// Of the body; `nil` until the header has come.
    private var size: UInt64?

    /// Begins a message.
    mutating func begin(_ method: Method) {
        pending = Complete(method: method, body: [])
        size = nil
    }

    /// Takes a header or body frame; gives the message that it completes.
    mutating func take(_ frame: amqp_frame_t) -> Complete? {
        guard pending != nil else { return nil }
        if Int32(frame.frame_type) == AMQP_FRAME_HEADER {
            takeHeader(frame)
        } else {
            let fragment = frame.payload.body_fragment
            reserve(fragment.len)
            pending?.body.append(contentsOf: UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        }
        guard let complete = pending, let size, UInt64(complete.body.count) >= size else { return nil }
        pending = nil
        return complete
    }

    /// Room for the whole body, but at most twice of what has come: a size is only a claim.
    private mutating func reserve(_ count: Int) {
        guard let size, let body = pending?.body, body.count + count > body.capacity else { return }
        pending?.body.reserveCapacity(Int(clamping: min(size, UInt64(max(1 << 20, 2 * (body.count + count))))))
    }

    private mutating func takeHeader(_ frame: amqp_frame_t) {
        let size = frame.payload.properties.body_size
        self.size = size
        guard
            let properties = frame.payload.properties.decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self)
                .pointee
        else { return }
        pending?.properties = MessageProperties(properties)
    }
}

/// What comes with a message, as far as we look at it.
struct MessageProperties {
    var messageID: String?
    /// Seconds since 1970, as its publisher says.
    var timestamp: Int?
    var headers: [String: Field] = [:]

    init() {}

    init(_ properties: amqp_basic_properties_t) {
        func has(_ flag: Int32) -> Bool { properties._flags & UInt32(flag) != 0 }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { messageID = properties.message_id.string }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { timestamp = Int(clamping: properties.timestamp) }
        if has(AMQP_BASIC_HEADERS_FLAG) { headers = [String: Field](properties.headers) }
    }
}
