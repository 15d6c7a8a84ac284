internal import Envelopes
internal import EventLoops
internal import Faults

/// What an envelope's history says of an effect, as an event of the type `fault`.
struct FaultMark {
    let fault: Fault

    static let type = "fault"

    var event: EmittedEvent {
        EmittedEvent(
            type: Self.type,
            data: RawJSON { writer in
                writer.beginObject()
                writer.name("injected")
                writer.append(true)
                writer.name("fault")
                writer.append(string: fault.id)
                writer.name("kind")
                writer.append(string: fault.kind.rawValue)
                if let owner = fault.owner {
                    writer.name("owner")
                    writer.append(string: owner)
                }
                writer.name("message")
                writer.append(string: inWords)
                writer.endObject()
            })
    }

    var inWords: String {
        let what =
            switch fault.effect {
            case .latency: "\(fault.delay.inWords) of latency"
            case .timeout: "a time-out after \(fault.delay.inWords)"
            case .error(let type, _): "the error \(type)"
            case .crash: "a crash of the runtime"
            case .cpu(_, let load): "\(fault.work.inWords) of processor time, \(Int(load * 100)) % of a core"
            case .memory: "\(fault.bytes) bytes of memory"
            case .badData: "bad data"
            case .drop: "a lost connection to the broker"
            case .hang: "a runtime that hangs"
            }
        return "injected \(what), by fault \(fault.id)"
    }
}
