import ArgumentParser
import Envelopes

/// By what `troupe top` sorts actors: the most of it first; names from A on.
enum TopOrder: String, CaseIterable, Sendable, ExpressibleByArgument {
    case actor, ready
    case inFlight = "in-flight"
    case consumers, dead, rate, failed, oldest

    var key: Character {
        switch self {
        case .actor: "a"
        case .ready: "r"
        case .inFlight: "i"
        case .consumers: "c"
        case .dead: "d"
        case .rate: "m"
        case .failed: "f"
        case .oldest: "o"
        }
    }

    /// What nobody knows comes last.
    private func amount(_ actor: RawJSON) -> Double {
        let number: Double? =
            switch self {
            case .actor: 0
            case .ready: actor["ready"]?.double
            case .inFlight: actor["in_flight"]?.double
            case .consumers: actor["consumers"]?.double
            case .dead: actor["dead_letters"]?.double
            case .rate: actor["rates"]?["completed_per_minute"]?.double
            case .failed: actor["rates"]?["failed_per_minute"]?.double
            case .oldest: (actor["oldest_at"]?.string).flatMap(Timestamp.microseconds(parsing:)).map { -Double($0) }
            }
        return number ?? -.infinity
    }

    func sorted(_ actors: [RawJSON], isReversed: Bool) -> [RawJSON] {
        let sorted = actors.map { (actor: $0, amount: amount($0), name: $0["name"]?.string ?? "") }.sorted {
            ($1.amount, $0.name) < ($0.amount, $1.name)
        }.map(\.actor)
        return isReversed ? sorted.reversed() : sorted
    }
}
