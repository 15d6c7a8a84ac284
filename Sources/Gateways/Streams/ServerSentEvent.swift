/// The wire form of an event stream (WHATWG HTML, "Server-sent events").
enum ServerSentEvent {
    static let keepAlive: [UInt8] = Array(": keepalive\n\n".utf8)

    /// Lets a client go on from here after a break, though there was nothing to tell: an event without data is none.
    static func keepAlive(upTo id: Int64) -> [UInt8] { Array("id: \(id)\n: keepalive\n\n".utf8) }

    static func update(_ update: EnvelopeUpdate) -> [UInt8] {
        let name = update.partial == nil ? "update" : "partial"
        return Array("id: \(update.id)\nevent: \(name)\ndata: ".utf8) + update.json + Array("\n\n".utf8)
    }

    /// Between its parts JSON may have line ends, which would end an event's data; within strings they are escaped.
    static func withoutLineEnd(_ byte: UInt8) -> UInt8 { byte == 0x0A || byte == 0x0D ? 0x20 : byte }

    /// The number in a `Last-Event-ID`; `nil` when it is none of ours.
    static func parse(lastEventID: String) -> Int64? {
        guard let number = Int64(lastEventID), number >= 0 else { return nil }
        return number
    }
}
