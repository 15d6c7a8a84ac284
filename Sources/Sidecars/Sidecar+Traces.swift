internal import Envelopes
internal import EventLoops
internal import Logging
internal import Telemetry
internal import Transports

/// What a delivery leaves in its trace: a span for itself, and below it one for each call of the handler and one for each
/// message that it sends.
extension Sidecar {
    var surroundings: DeliverySurroundings {
        var surroundings = DeliverySurroundings.real
        if let tracer = spans?.tracer { surroundings.span = { tracer.context(below: $0) } }
        return surroundings
    }

    func spanOfCall(_ machine: DeliveryMachine) -> TraceParent? {
        machine.trace.flatMap { spans?.tracer.context(below: $0) }
    }

    func record(call context: TraceParent, of machine: DeliveryMachine, since start: MonotonicTime) {
        spans?.tracer.record(
            Span(
                "call \(policy.actorName)", .internal, context, below: machine.trace, since: start,
                ["troupe.actor": .text(policy.actorName)], error: machine.callError), if: context)
    }

    func record(_ delivery: Delivery, _ machine: DeliveryMachine, since arrival: MonotonicTime) {
        guard let spans, let trace = machine.trace else { return }
        spans.processed(
            trace, below: machine.traceParent, at: policy.actorName, id: machine.envelope?.id ?? "",
            bytes: machine.size, since: arrival, error: machine.failure,
            [
                "messaging.rabbitmq.message.delivery_tag": .integer(Int(clamping: delivery.token.tag)),
                "troupe.actor": .text(policy.actorName), "troupe.attempt": .integer(machine.attempt),
                "troupe.outcome": .text(machine.outcome?.word ?? "returned"),
            ])
    }

    /// - Parameter error: why it was not confirmed.
    func record(
        _ outgoing: DeliveryMachine.Outgoing, below place: DeliveryPlace?, since start: MonotonicTime,
        _ error: TransportError? = nil
    ) {
        guard let spans, let place, case .envelope(let message, let context?) = outgoing,
            case .actor(let name) = message.destination
        else { return }
        // Another envelope begins here; the message that it has come out of is linked.
        let isChild = message.id != place.envelopeID
        spans.published(
            context, below: place.span, to: name, id: message.id, bytes: message.body.count, since: start,
            error: error?.code.rawValue, links: isChild ? [place.message].compactMap(\.self) : [])
    }
}

/// Where a delivery stands in its trace.
struct DeliveryPlace {
    var span: TraceParent
    /// As it stands in the message.
    var message: TraceParent?
    var envelopeID: String?
}

extension DeliveryMachine {
    /// `nil` where it is not traced.
    var place: DeliveryPlace? {
        trace.map { DeliveryPlace(span: $0, message: traceParent, envelopeID: envelope?.id) }
    }
}

extension Logger.Metadata {
    /// Of a line that is about an envelope.
    static func about(_ envelope: Envelope?, _ trace: TraceParent?) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["envelope_id": "\(envelope?.id ?? "none")"]
        if let trace = trace ?? envelope?.headers.traceparent {
            metadata["trace_id"] = "\(trace.traceID)"
            metadata["span_id"] = "\(trace.spanID)"
        }
        return metadata
    }
}

extension DeliveryMachine {
    /// What the runtime gets: the message, with the call's span where that is traced. What an end actor keeps is as it came.
    func request(under span: TraceParent?) -> [UInt8] {
        guard let span, !policy.isEndActor, var envelope else { return body }
        envelope.headers.traceparent = span
        return envelope.encoded()
    }

    /// Why it has failed, also when it is tried again.
    fileprivate var failure: String? {
        switch outcome {
        case .failed(let reason): callError ?? errorCode ?? reason.rawValue
        case .retried: callError ?? errorCode
        case .success, .emptyResponse, .endConsumed, .counted, nil: nil
        }
    }
}

extension DeliveryMachine.Outcome {
    fileprivate var word: String {
        switch self {
        case .success: "success"
        case .emptyResponse: "empty_response"
        case .endConsumed: "end_consumed"
        case .retried: "retried"
        case .counted: "counted"
        case .failed(let reason): reason.rawValue
        }
    }
}

extension Runtime.Failure {
    /// As spans have it.
    var type: String {
        switch self {
        case .timeout: "timeout"
        case .closed, .invalid: "runtime_error"
        case .injected(let failure): failure.error.code
        case .draining: "draining"
        case .paused: "paused"
        case .replaced: "replaced"
        case .withdrawn: "withdrawn"
        case .cancelled: "cancelled"
        case .occupied: "occupied"
        }
    }
}
