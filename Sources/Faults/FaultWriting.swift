internal import EventLoops
public import Envelopes

extension Fault {
    public var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writeMembers(to: &writer)
            writer.endObject()
        }
    }

    /// What the other side reads with `Fault(_:)`.
    public func writeMembers(to writer: inout JSONWriter) {
        writer.name("id")
        writer.append(string: id)
        writer.name("kind")
        writer.append(string: kind.rawValue)
        writer.name("actor")
        writer.append(string: actor)
        if !match.isEmpty {
            writer.name("match")
            writer.append(RawJSON(object: match))
        }
        writer.name("probability")
        writer.append(number: probability)
        writer.name("intensity")
        writer.append(number: intensity)
        writeEffect(to: &writer)
        if let times {
            writer.name("times")
            writer.append(times)
        }
        writer.name("seed")
        writer.append(seed)
        if let owner {
            writer.name("owner")
            writer.append(string: owner)
        }
        writer.name("injected_at")
        writer.append(string: Timestamp.text(microseconds: injectedAt))
        writer.name("until")
        writer.append(string: Timestamp.text(microseconds: until))
    }

    private func writeEffect(to writer: inout JSONWriter) {
        func member(_ name: String, _ span: Duration) {
            writer.name(name)
            writer.append(string: span.exactly)
        }
        switch effect {
        case .latency(let delay), .timeout(let delay), .crash(let delay): member("delay", delay)
        case .error(let type, let message):
            writer.name("error_type")
            writer.append(string: type)
            guard let message else { return }
            writer.name("message")
            writer.append(string: message)
        case .cpu(let work, let load):
            member("cpu", work)
            writer.name("load")
            writer.append(number: load)
        case .memory(let bytes):
            writer.name("bytes")
            writer.append(bytes)
        case .badData(let changes):
            writer.name("changes")
            writer.append(RawJSON(array: changes.map(\.json)))
        case .drop, .hang: break
        }
    }
}

extension FaultState {
    /// As gateways tell sidecars.
    public var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            fault.writeMembers(to: &writer)
            if isReset {
                writer.name("reset")
                writer.append(true)
            }
            writer.endObject()
        }
    }

    public init(_ json: RawJSON) throws(InvalidFault) {
        self.init(try Fault(json), isReset: json["reset"]?.boolean ?? false)
    }
}

extension JSONWriter {
    /// A whole number without a fraction.
    mutating func append(number: Double) {
        if let whole = Int(exactly: number) { append(whole) } else { append(number) }
    }
}

extension Duration {
    /// As `init(text:)` reads it: to a tenth of a microsecond, which nobody asks for.
    fileprivate var exactly: String {
        let microseconds = nanosecondsClamped / 1000
        if microseconds % 1_000_000 == 0 { return "\(microseconds / 1_000_000)s" }
        return microseconds % 1000 == 0 ? "\(microseconds / 1000)ms" : "\(Double(microseconds) / 1000)ms"
    }
}
