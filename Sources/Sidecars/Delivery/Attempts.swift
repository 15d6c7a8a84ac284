internal import Envelopes

/// The failed attempts of an envelope at the actor where it is, in the header `troupe-attempts`: a list of `{"actor",
/// "attempt", "error", "message", "at"}`. They go with the envelope to its next attempt and into `error-end`; a success
/// forgets them.
struct Attempts {
    private(set) var list: [RawJSON]
    /// Of the attempt that is under way, from 1.
    let current: Int

    /// More are counted, but not kept.
    static let kept = 50

    init(of envelope: Envelope, at actor: String) {
        list = envelope.headers.failedAttempts(at: actor)
        current = envelope.headers.attempt(at: actor)
    }

    mutating func failed(_ error: RuntimeReply.HandlerError, actor: String, at time: String) {
        list.append(
            RawJSON { writer in
                writer.beginObject()
                writer.name("actor")
                writer.append(string: actor)
                writer.name("attempt")
                writer.append(current)
                writer.name("error")
                writer.append(string: error.type)
                writer.name("message")
                writer.append(string: String((error.message ?? "").prefix(500)))
                writer.name("at")
                writer.append(string: time)
                writer.endObject()
            })
        list = list.suffix(Self.kept)
    }

    var header: RawJSON { RawJSON(array: list) }
}
