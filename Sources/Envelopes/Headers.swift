/// An envelope's headers: a JSON object that travels on every hop with its bytes as they came.
public struct Headers: Sendable, Hashable {
    /// `nil` where the envelope has none.
    public private(set) var json: RawJSON?

    public init() {}

    /// - Throws: `EnvelopeError` `.invalidHeaders` for anything but an object or null.
    public init(_ json: RawJSON) throws(EnvelopeError) {
        switch json.kind {
        case .object: self.json = json
        case .null: break
        default: throw EnvelopeError(.invalidHeaders, "Field 'headers' must be a dict")
        }
    }

    var isAbsent: Bool { json == nil }
    var byteCount: Int { json?.bytes.count ?? 0 }

    /// Reads a header, or sets it: in its place where it is there already, else at the end. Setting `nil` removes it.
    public subscript(name: String) -> RawJSON? {
        get { json?[name] }
        set {
            if newValue == nil && self[name] == nil { return }
            var members = json?.members ?? []
            let place = members.firstIndex { $0.isNamed(name) } ?? members.endIndex
            members.removeAll { $0.isNamed(name) }
            if let newValue {
                members.insert(RawJSON.Member(name: name, value: newValue), at: min(place, members.endIndex))
            }
            json = RawJSON(object: members)
        }
    }

    func write(to writer: inout JSONWriter) {
        writer.append(json ?? .emptyObject)
    }
}

extension Headers {
    /// The attempts that have failed at an actor, as its sidecar noted them, the last one at the end. Those at other actors
    /// are of no interest there, though an older sidecar may not have taken them off.
    public func failedAttempts(at actor: String) -> [RawJSON] {
        (self["troupe-attempts"]?.elements ?? []).filter { $0["actor"]?.string == actor }
    }

    /// The number of the attempt that is under way at an actor, from 1.
    public func attempt(at actor: String) -> Int {
        let last = failedAttempts(at: actor).last?["attempt"]?.integer ?? 0
        return min(max(last, 0), 1_000_000) + 1
    }

    /// The W3C trace context, where it is there and well formed.
    public var traceparent: TraceParent? {
        get { self["traceparent"]?.string.flatMap(TraceParent.init) }
        set { self["traceparent"] = newValue.map { RawJSON(string: $0.description) } }
    }

    /// How often the envelope of this id has fanned out so far. It keeps the ids of later children apart from those of
    /// earlier ones.
    public var fanOuts: Int {
        get { count("troupe-fan-outs") }
        set { setCount("troupe-fan-outs", newValue) }
    }

    /// How often its route has led back to where it was. It keeps the reports of one round apart from those of the next.
    public var loops: Int {
        get { count("troupe-loops") }
        set { setCount("troupe-loops", newValue) }
    }

    /// How often it has been sent on its way again after it had ended.
    public var replays: Int {
        get { count("troupe-replays") }
        set { setCount("troupe-replays", newValue) }
    }

    /// When the envelope came in (ISO 8601): results are filed under it. It is the same in every copy of the envelope that
    /// redeliveries leave behind, so that all of them are filed as one.
    public var submittedAt: String? {
        get { self["troupe-submitted-at"]?.string }
        set { self["troupe-submitted-at"] = newValue.map { RawJSON(string: $0) } }
    }

    private func count(_ name: String) -> Int {
        // Headers come from outside too: no number there may be one that cannot be counted up.
        min(max(self[name]?.integer ?? 0, 0), 1 << 53)
    }

    private mutating func setCount(_ name: String, _ count: Int) {
        if self.count(name) != count || (count == 0 && self[name] != nil) {
            self[name] = count == 0 ? nil : RawJSON(integer: count)
        }
    }
}
