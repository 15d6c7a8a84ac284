/// An envelope's headers: a JSON object that travels on every hop with its bytes as they came.
public struct Headers: Sendable, Hashable {
    /// As they came; `nil` once they were changed, and where the envelope has none.
    private var text: RawJSON?
    /// `nil` where the envelope has none.
    private var members: [RawJSON.Member]?

    public init() {}

    /// - Throws: `EnvelopeError` `.invalidHeaders` for anything but an object or null.
    public init(_ json: RawJSON) throws(EnvelopeError) {
        switch json.kind {
        case .object:
            let own = json.detached
            text = own
            members = own.members
        case .null: break
        default: throw EnvelopeError(.invalidHeaders, "Field 'headers' must be a dict")
        }
    }

    /// `nil` where the envelope has none.
    public var json: RawJSON? { text ?? members.map { RawJSON(object: $0) } }

    var isAbsent: Bool { members == nil }
    var byteCount: Int {
        text?.bytes.count ?? members?.reduce(2) { $0 + $1.rawName.count + $1.value.bytes.count + 2 } ?? 0
    }

    /// Reads a header, or sets it: in its place where it is there already, else at the end. Setting `nil` removes it.
    public subscript(name: String) -> RawJSON? {
        get { members?.last { $0.isNamed(name) }?.value }
        set {
            let place = members?.firstIndex { $0.isNamed(name) }
            if newValue == nil && place == nil { return }
            text = nil
            var members = members ?? []
            self.members = nil
            if place != nil { members.removeAll { $0.isNamed(name) } }
            if let newValue {
                members.insert(
                    RawJSON.Member(name: name, value: newValue), at: min(place ?? .max, members.endIndex))
            }
            self.members = members
        }
    }

    func write(to writer: inout JSONWriter) {
        if let text { return writer.append(text) }
        writer.beginObject()
        for member in members ?? [] { writer.append(member) }
        writer.endObject()
    }

    /// By what they say, as text.
    public static func == (left: Headers, right: Headers) -> Bool { left.json == right.json }
    public func hash(into hasher: inout Hasher) { hasher.combine(json) }
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
