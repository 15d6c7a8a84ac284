import Envelopes

@testable import Sidecars

/// What the actors' handlers do. It depends on the payload alone, as it must where a call may be repeated; each leaves its
/// mark on the payload, so that a result shows where it has been.
enum SimulatedHandler: String, CaseIterable {
    /// Fans out.
    case split
    /// Fails.
    case flaky
    /// Comes back to itself after a delay, some times.
    case loop
    /// Ends some envelopes.
    case sieve
    /// Replies what is no reply, or dies; forgets the headers.
    case garble
    /// Hangs.
    case slow
    /// Takes its sidecar with it, each time.
    case deadly

    static let harmless = allCases.filter { $0 != .deadly }

    enum Outcome {
        case results([String])
        case again(String, afterMilliseconds: Int)
        case error(type: String)
        case oneErrorAmongResults
        case malformed, hangs, dies, kills
    }

    func outcome(of payload: String) -> Outcome {
        let dice = digest(rawValue + payload)
        let isRare = dice % 8 == 0
        switch self {
        case .split:
            if isRare { return .oneErrorAmongResults }
            return .results((0..<(1 + dice % 3)).map { "\(payload)\($0)" })
        case .flaky: return isRare ? .error(type: "Fatal") : .results([payload + "f"])
        case .loop:
            let rounds = payload.reversed().prefix { $0 == "~" }.count
            let wanted = digest(String(payload.dropLast(rounds))) % 3
            return rounds < wanted
                ? .again(payload + "~", afterMilliseconds: 50 + dice % 3000) : .results([payload + "l"])
        case .sieve: return dice % 3 == 0 ? .results([]) : .results([payload + "v"])
        case .garble: return isRare ? .malformed : dice % 8 == 1 ? .dies : .results([payload + "g"])
        case .slow: return isRare ? .hangs : .results([payload + "s"])
        case .deadly: return .kills
        }
    }

    var retries: RetryPolicy {
        RetryPolicy(
            attempts: self == .flaky ? 4 : 2, initialDelay: .milliseconds(500), factor: 3, ceiling: .seconds(2),
            final: ["Fatal"])
    }

    /// Deliveries of one message to this actor. Only one of them needs it; trouble must not get near it elsewhere.
    var deliveryLimit: Int { self == .deadly ? 3 : 1000 }

    /// Whether `happy-end` can't keep this result, however often it tries.
    static func cannotBeKept(_ payload: String) -> Bool { digest("keep" + payload) % 10 == 0 }
}

/// The same in every process (FNV-1a).
private func digest(_ text: String) -> Int {
    Int(text.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 } >> 8)
}
