internal import EventLoops
internal import Settings
public import Envelopes

extension Fault {
    /// Reads what somebody asks for: `{"kind", "actor", "id"?, "match"?, "probability"?, "intensity"?, "duration"?,
    /// "times"?, "seed"?, "owner"?}` and the members of its kind.
    /// - Parameters:
    ///   - id: where it has none.
    ///   - seed: where it has none.
    ///   - now: microseconds since 1970; the clock starts here.
    public init(
        request json: RawJSON, id: String, seed: Int, now: Int64, bounds: FaultBounds
    ) throws(InvalidFault) {
        let reader = FaultReader(json)
        self = try reader.fault(known: [])
        if self.id.isEmpty { self.id = id }
        if reader["seed"] == nil { self.seed = seed }
        injectedAt = now
        let duration = try reader.span("duration") ?? .seconds(30)
        guard duration >= .milliseconds(100), duration <= bounds.duration else {
            throw InvalidFault(
                "/duration",
                "'duration' must be from 100ms to \(bounds.duration.inWords) (TROUPE_FAULTS_MAX_DURATION)")
        }
        until = now + duration.nanosecondsClamped / 1000
        try check(bounds)
    }

    /// Reads what `write` wrote.
    public init(_ json: RawJSON) throws(InvalidFault) {
        let reader = FaultReader(json)
        self = try reader.fault(known: ["injected_at", "until", "reset"])
        injectedAt = try reader.time("injected_at")
        until = try reader.time("until")
        guard !id.isEmpty, injectedAt <= until else { throw InvalidFault("", "a fault needs an 'id' and a time") }
    }

    /// - Throws: for more than the bounds allow.
    public func check(_ bounds: FaultBounds) throws(InvalidFault) {
        if delay > bounds.latency {
            throw InvalidFault(
                "/delay",
                "'delay' times 'intensity' is \(delay.inWords), at most \(bounds.latency.inWords) are allowed "
                    + "(TROUPE_FAULTS_MAX_LATENCY)")
        }
        if work > bounds.cpu {
            throw InvalidFault(
                "/cpu",
                "'cpu' times 'intensity' is \(work.inWords), at most \(bounds.cpu.inWords) are allowed "
                    + "(TROUPE_FAULTS_MAX_CPU)")
        }
        if bytes > bounds.memory {
            throw InvalidFault(
                "/bytes",
                "'bytes' times 'intensity' is \(bytes), at most \(bounds.memory) are allowed (TROUPE_FAULTS_MAX_MEMORY)"
            )
        }
    }
}

/// Members of a fault, read strictly.
struct FaultReader {
    private let json: RawJSON
    private let members: [RawJSON.Member]

    private static let common: Set = [
        "id", "kind", "actor", "match", "probability", "intensity", "duration", "times", "seed", "owner",
    ]
    private static let matchLimit = 10

    init(_ json: RawJSON) {
        self.json = json
        members = json.members
    }

    /// `nil` where it isn't there, or null.
    subscript(name: String) -> RawJSON? { members.last { $0.isNamed(name) }?.value.nonNull }

    /// - Parameter others: members that it may have besides.
    func fault(known others: Set<String>) throws(InvalidFault) -> Fault {
        guard json.kind == .object else { throw InvalidFault("", "a fault must be an object, is \(json.kind)") }
        let kinds = Fault.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        guard let kind = try text("kind", 1...20).flatMap(Fault.Kind.init) else {
            throw InvalidFault("/kind", "'kind' must be one of: \(kinds)")
        }
        let known = Self.common.union(others).union(kind.members)
        for member in members where !known.contains(member.name ?? "") {
            let name = member.name ?? ""
            let owners = Fault.Kind.allCases.filter { $0.members.contains(name) }.map(\.rawValue)
            throw InvalidFault(
                pointer(name),
                owners.isEmpty
                    ? "a fault has no member '\(name.prefix(50))'"
                    : "'\(name)' is not for a fault of the kind '\(kind.rawValue)' but for: "
                        + owners.joined(separator: ", ")
            )
        }
        guard let actor = try text("actor", 1...200) else {
            throw InvalidFault("/actor", "'actor' is missing: the name of an actor, or * for all")
        }
        let id = try text("id", 1...100) ?? ""
        guard id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
            throw InvalidFault("/id", "'id' must be 1 to 100 visible ASCII characters without /")
        }
        return Fault(
            id: id, actor: actor, match: try match(), effect: try effect(kind),
            probability: try number("probability", 0...1) ?? 1, intensity: try intensity(),
            times: try whole("times", 1...1_000_000), seed: try whole("seed", 0...Self.seeds) ?? 0,
            owner: try text("owner", 1...200), injectedAt: 0, until: 0)
    }

    /// What every JSON library reads exactly.
    private static let seeds = 1 << 53

    private func intensity() throws(InvalidFault) -> Double {
        let intensity = try number("intensity", 0...1000) ?? 1
        guard intensity > 0 else { throw InvalidFault("/intensity", "'intensity' must be above 0") }
        return intensity
    }

    private func match() throws(InvalidFault) -> [RawJSON.Member] {
        guard let match = self["match"] else { return [] }
        let pairs = match.members
        guard match.kind == .object, pairs.count <= Self.matchLimit,
            pairs.allSatisfy({ pair in
                [.string, .number, .boolean].contains(pair.value.kind) && pair.value.bytes.count <= 500
                    && pair.rawName.count <= 200
            })
        else {
            throw InvalidFault(
                "/match",
                "'match' must be an object of at most \(Self.matchLimit) headers, each with a text, a number or a flag")
        }
        return pairs.map { RawJSON.Member(name: $0.name ?? "", value: $0.value.detached) }
    }

    private func effect(_ kind: Fault.Kind) throws(InvalidFault) -> Fault.Effect {
        switch kind {
        case .latency: return .latency(try span("delay") ?? .seconds(1))
        case .timeout: return .timeout(after: try span("delay") ?? .seconds(2))
        case .crash: return .crash(after: try span("delay") ?? .zero)
        case .error:
            return .error(
                type: try text("error_type", 1...100) ?? "InjectedError", message: try text("message", 1...500))
        case .cpu:
            let load = try number("load", 0...1) ?? 0.5
            guard load > 0 else { throw InvalidFault("/load", "'load' must be above 0") }
            return .cpu(try span("cpu") ?? .seconds(10), load: load)
        case .memory: return .memory(try whole("bytes", 1...(1 << 40)) ?? 64 << 20)
        case .badData: return .badData(try changes())
        case .drop: return .drop
        case .hang: return .hang
        }
    }

    private func changes() throws(InvalidFault) -> [DataChange] {
        guard let list = self["changes"] else { return [] }
        guard list.kind == .array, list.elements.count <= DataChange.limit else {
            throw InvalidFault("/changes", "'changes' must be a list of at most \(DataChange.limit) changes")
        }
        var changes: [DataChange] = []
        for (index, element) in list.elements.enumerated() {
            do throws(InvalidFault) { changes.append(try DataChange(element)) } catch {
                throw InvalidFault("/changes/\(index)\(error.pointer)", "change \(index): \(error.message)")
            }
        }
        return changes
    }

    // MARK: Members

    /// A time span as text, or a number of seconds.
    func span(_ name: String) throws(InvalidFault) -> Duration? {
        guard let value = self[name] else { return nil }
        guard value.kind == .string || value.kind == .number,
            let span = Duration(text: value.string ?? value.description)
        else { throw InvalidFault(pointer(name), "'\(name)' must be a time span like 250ms, 30s or 5m") }
        return span
    }

    func time(_ name: String) throws(InvalidFault) -> Int64 {
        guard let time = self[name]?.string.flatMap({ Timestamp.microseconds(parsing: $0) }) else {
            throw InvalidFault(pointer(name), "'\(name)' must be a time")
        }
        return time
    }

    private func text(_ name: String, _ length: ClosedRange<Int>) throws(InvalidFault) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string, length.contains(text.utf8.count), !text.utf8.contains(0) else {
            throw InvalidFault(
                pointer(name), "'\(name)' must be a text of \(length.lowerBound) to \(length.upperBound) bytes")
        }
        return text
    }

    private func number(_ name: String, _ range: ClosedRange<Double>) throws(InvalidFault) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw InvalidFault(
                pointer(name), "'\(name)' must be a number from \(Int(range.lowerBound)) to \(Int(range.upperBound))")
        }
        return number
    }

    private func whole(_ name: String, _ range: ClosedRange<Int>) throws(InvalidFault) -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw InvalidFault(
                pointer(name), "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func pointer(_ name: String) -> String {
        "/" + JSONPointer.escaped(name.prefix(50))
    }
}

extension Fault.Kind {
    /// Those of its own.
    fileprivate var members: Set<String> {
        switch self {
        case .latency, .timeout, .crash: ["delay"]
        case .error: ["error_type", "message"]
        case .cpu: ["cpu", "load"]
        case .memory: ["bytes"]
        case .badData: ["changes"]
        case .drop, .hang: []
        }
    }
}
