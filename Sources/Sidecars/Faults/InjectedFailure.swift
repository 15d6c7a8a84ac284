internal import Envelopes
internal import EventLoops
public import Faults

/// Why a call has failed that was to fail.
public struct InjectedFailure: Sendable, Hashable {
    public let fault: Fault

    public init(_ fault: Fault) { self.fault = fault }

    /// Its code says that it was injected; its type, what it pretends to be, for policies that go by types.
    var error: RuntimeReply.HandlerError {
        let (type, message) = pretence
        return RuntimeReply.HandlerError(
            code: "injected_\(fault.kind.rawValue)",
            details: RawJSON { writer in
                writer.beginObject()
                writer.name("message")
                writer.append(string: "\(message) (injected by fault \(fault.id))")
                writer.name("type")
                writer.append(string: type)
                writer.name("injected")
                writer.append(true)
                writer.name("fault")
                writer.append(string: fault.id)
                writer.endObject()
            })
    }

    private var pretence: (type: String, message: String) {
        switch fault.effect {
        case .error(let type, let message): (type, message ?? "error")
        case .timeout(let delay): ("timeout", "time-out after \((delay * fault.intensity).inWords)")
        case .hang: ("timeout", "the runtime did not answer")
        case .crash: ("runtime_error", "the runtime died")
        case .latency, .cpu, .memory, .badData, .drop: (fault.kind.rawValue, fault.kind.rawValue)
        }
    }
}
