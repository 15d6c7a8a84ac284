internal import CRabbitMQ

/// A queue's messages one at a time, by asking for each. It blocks: for who looks through a queue, not for who serves it.
extension Link {
    /// The next message, which stays the broker's until `acknowledge`; `nil` when there is none.
    public func get(from queue: String) throws(AMQPError) -> Consumer.Message? {
        let step = "getting a message from queue '\(queue)'"
        let arena = Arena()
        let reply = amqp_basic_get(handle, channel, arena.bytes(queue), 0)
        try check(reply, step)
        guard reply.reply.id == methodID(60, 71),
            let ok = reply.reply.decoded?.assumingMemoryBound(to: amqp_basic_get_ok_t.self).pointee
        else { return nil }
        let (tag, isRedelivered, routingKey) = (ok.delivery_tag, ok.redelivered != 0, ok.routing_key.string)
        var message = amqp_message_t()
        try check(amqp_read_message(handle, channel, &message, 0), step)
        defer {
            amqp_destroy_message(&message)
            releaseFrames()
        }
        let body = Array(UnsafeRawBufferPointer(start: message.body.bytes, count: message.body.len))
        let properties = MessageProperties(message.properties)
        return Consumer.Message(
            tag: tag, isRedelivered: isRedelivered, body: body, messageID: properties.messageID,
            routingKey: routingKey, timestamp: properties.timestamp, headers: properties.headers)
    }

    public func acknowledge(_ tag: UInt64) throws(AMQPError) {
        try check(amqp_basic_ack(handle, channel, tag, 0), "acknowledging a message")
    }
}
