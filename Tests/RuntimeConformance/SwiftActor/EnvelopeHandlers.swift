import ActorKit

struct Answer: RawEnvelopeHandler {
    func handle(_ envelope: RawJSON, _ context: Context) -> [RawJSON] {
        guard let payload = envelope["payload"], payload.kind != .null else { return [] }
        return payload.kind == .array ? payload.elements : [payload]
    }
}

struct Advance: EnvelopeHandler {
    func handle(_ envelope: Envelope, _ context: Context) -> [Envelope] { [envelope.advanced()] }
}

struct AddSteps: EnvelopeHandler {
    func handle(_ envelope: Envelope, _ context: Context) -> [Envelope] {
        var result = envelope.advanced()
        result.route.actors.insert(contentsOf: envelope.steps, at: result.route.current)
        return [result]
    }
}

struct ReplaceSteps: EnvelopeHandler {
    func handle(_ envelope: Envelope, _ context: Context) -> [Envelope] {
        var result = envelope.advanced()
        result.route.actors.replaceSubrange(result.route.current..., with: envelope.steps)
        return [result]
    }
}

struct EraseDone: EnvelopeHandler {
    func handle(_ envelope: Envelope, _ context: Context) -> [Envelope] {
        var result = envelope
        result.route.actors.removeFirst()
        return [result]
    }
}

struct AddHeader: EnvelopeHandler {
    func handle(_ envelope: Envelope, _ context: Context) throws -> [Envelope] {
        guard let name = envelope.payload["name"]?.string else { throw HandlerError("no name") }
        var result = envelope.advanced()
        result.headers[name] = envelope.payload["value"]
        return [result]
    }
}

extension Envelope {
    fileprivate func advanced() -> Envelope {
        var result = self
        result.route.current += 1
        return result
    }

    fileprivate var steps: [String] { payload["steps"]?.elements.compactMap(\.string) ?? [] }
}
