internal import CRabbitMQ

/// Puts a message together from its frames: a method, a header, then as many body frames as its size says.
struct MessageAssembler<Method> {
    struct Complete {
        var method: Method
        var body: [UInt8]
        var messageID: String?
        /// Of a quorum queue: deliveries before this one.
        var deliveryCount: Int
    }

    private var pending: Complete?
    /// Of the body; `nil` until the header has come.
    private var size: UInt64?

    /// Begins a message.
    mutating func begin(_ method: Method) {
        pending = Complete(method: method, body: [], messageID: nil, deliveryCount: 0)
        size = nil
    }

    /// Takes a header or body frame; gives the message that it completes.
    mutating func take(_ frame: amqp_frame_t) -> Complete? {
        guard pending != nil else { return nil }
        if Int32(frame.frame_type) == AMQP_FRAME_HEADER {
            takeHeader(frame)
        } else {
            let fragment = frame.payload.body_fragment
            pending?.body.append(contentsOf: UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        }
        guard let complete = pending, let size, UInt64(complete.body.count) >= size else { return nil }
        pending = nil
        return complete
    }

    private mutating func takeHeader(_ frame: amqp_frame_t) {
        let size = frame.payload.properties.body_size
        self.size = size
        // What comes is believed as far as it has come.
        pending?.body.reserveCapacity(Int(min(size, 1 << 20)))
        guard
            let properties = frame.payload.properties.decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self)
                .pointee
        else { return }
        if properties._flags & UInt32(AMQP_BASIC_MESSAGE_ID_FLAG) != 0 {
            pending?.messageID = properties.message_id.string
        }
        if properties._flags & UInt32(AMQP_BASIC_HEADERS_FLAG) != 0 {
            pending?.deliveryCount = properties.headers.integer("x-delivery-count") ?? 0
        }
    }
}

extension amqp_table_t {
    /// The integer of that name, whichever of AMQP's integer types it has.
    func integer(_ name: String) -> Int? {
        for index in 0..<Int(num_entries) where entries[index].key.string == name {
            let value = entries[index].value
            switch value.kind {
            case UInt8(ascii: "l"), UInt8(ascii: "L"): return Int(value.value.i64)
            case UInt8(ascii: "I"): return Int(value.value.i32)
            case UInt8(ascii: "i"): return Int(value.value.u32)
            case UInt8(ascii: "s"): return Int(value.value.i16)
            case UInt8(ascii: "u"): return Int(value.value.u16)
            case UInt8(ascii: "b"): return Int(value.value.i8)
            case UInt8(ascii: "B"): return Int(value.value.u8)
            default: return nil
            }
        }
        return nil
    }
}
