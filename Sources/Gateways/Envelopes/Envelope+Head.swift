internal import Envelopes

extension Envelope {
    /// The message up to and with `"payload":`. What follows it in the message is the payload and a closing brace: so the database
    /// need not keep the payload twice.
    var head: [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("id", id)
        writer.member("parent_id", parentID)
        writer.name("route")
        route.write(to: &writer)
        writer.name("headers")
        writer.append(headers.json ?? .emptyObject)
        for member in unknown { writer.append(member) }
        writer.name("payload")
        return writer.bytes
    }

    /// A whole message again.
    static func message(_ head: [UInt8], _ payload: RawJSON) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(head.count + payload.bytes.count + 1)
        message += head
        message += payload.bytes
        message.append(UInt8(ascii: "}"))
        return message
    }
}
