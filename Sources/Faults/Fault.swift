public import Envelopes

/// Something that is to go wrong on purpose: what, to whom, how often and until when. It never changes; it can only end
/// before its time.
public struct Fault: Sendable, Hashable {
    /// Whoever asks for the same one again, by its id, starts no second one.
    public var id: String
    /// Whose deliveries it may strike; `*`: everybody's.
    public var actor: String
    /// Headers that an envelope must have, each with this value: of a mission, of a tenant. None: any envelope.
    public var match: [RawJSON.Member]
    public var effect: Effect
    /// Of each delivery that it may strike, 0...1.
    public var probability: Double
    /// What the effect's amount (a delay, seconds of work, bytes) is multiplied with.
    public var intensity: Double
    /// How often each replica has it strike; `nil`: no matter how often.
    public var times: Int?
    /// Of its chance: the same deliveries in the same order are struck again by a fault of the same seed.
    public var seed: Int
    /// Who is to look after it, in the words of whoever injected it.
    public var owner: String?
    /// Microseconds since 1970, by the gateway's clock.
    public var injectedAt: Int64
    public var until: Int64

    public init(
        id: String, actor: String, match: [RawJSON.Member], effect: Effect, probability: Double, intensity: Double,
        times: Int?, seed: Int, owner: String?, injectedAt: Int64, until: Int64
    ) {
        self.id = id
        self.actor = actor
        self.match = match
        self.effect = effect
        self.probability = probability
        self.intensity = intensity
        self.times = times
        self.seed = seed
        self.owner = owner
        self.injectedAt = injectedAt
        self.until = until
    }

    /// Every actor.
    public static let everybody = "*"

    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case latency, timeout, error, crash, cpu, memory
        case badData = "bad_data"
        case drop, hang
    }

    /// With the amounts as they were asked for, before `intensity`.
    public enum Effect: Sendable, Hashable {
        /// The handler is called later.
        case latency(Duration)
        /// The call fails as if it had taken too long, after a while; the handler is not called.
        case timeout(after: Duration)
        /// The call fails; the handler is not called.
        case error(type: String, message: String?)
        /// The runtime dies during the call: so long after its begin, at the latest when it answers.
        case crash(after: Duration)
        /// Burns seconds of processor time beside the calls, with so much of one core (above 0, at most 1).
        case cpu(Duration, load: Double)
        /// Holds bytes until the fault ends.
        case memory(Int)
        /// The handler's results are changed; none: a change of chance.
        case badData([DataChange])
        /// The connection that consumes is lost: what it has delivered comes again.
        case drop
        /// Nothing answers until the sidecar gives up the call, with all that follows from it.
        case hang
    }

    public var kind: Kind {
        switch effect {
        case .latency: .latency
        case .timeout: .timeout
        case .error: .error
        case .crash: .crash
        case .cpu: .cpu
        case .memory: .memory
        case .badData: .badData
        case .drop: .drop
        case .hang: .hang
        }
    }

    /// Of a latency, a time-out or a crash, intensity included.
    public var delay: Duration {
        switch effect {
        case .latency(let delay), .timeout(let delay), .crash(let delay): delay * intensity
        case .error, .cpu, .memory, .badData, .drop, .hang: .zero
        }
    }

    /// Processor time of one burn, intensity included.
    public var work: Duration { if case .cpu(let work, _) = effect { work * intensity } else { .zero } }

    /// Intensity included.
    public var bytes: Int {
        guard case .memory(let bytes) = effect else { return 0 }
        return Int(exactly: (Double(bytes) * intensity).rounded()) ?? .max
    }

    public var duration: Duration { .microseconds(until - injectedAt) }

    /// Whether it is for an envelope with these headers.
    func concerns(_ headers: Headers) -> Bool {
        match.allSatisfy { wanted in
            guard let name = wanted.name, let value = headers[name] else { return false }
            if let text = wanted.value.string { return value.string == text }
            return value == wanted.value
        }
    }
}

/// A fault as gateways tell of it.
public struct FaultState: Sendable, Hashable {
    public var fault: Fault
    /// Somebody has ended it before its time.
    public var isReset: Bool

    public init(_ fault: Fault, isReset: Bool = false) {
        self.fault = fault
        self.isReset = isReset
    }
}
