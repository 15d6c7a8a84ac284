/// Settings from the environment. Each `TROUPE_X` is also read as `ASYA_X`, so that what was configured for Asya runs
/// unchanged.
///
/// Reading never stops at the first mistake: problems gather in `problems`, so that a user sees all of them at once.
public struct Settings: Sendable {
    /// Everything, ours and others', for processes that are started with it.
    public let environment: [String: String]
    public private(set) var problems: [Problem] = []

    public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        public var setting: String
        /// What was wrong and what is expected instead; the value only where it cannot be a secret.
        public var message: String
        public var description: String { "\(setting): \(message)" }
    }

    public init(environment: [String: String]) { self.environment = environment }

    /// The value of a setting as it stands; an empty one counts as not set.
    /// - Parameter name: without `TROUPE_`, for instance `RABBITMQ_URL`.
    public func text(_ name: String) -> String? { found(name)?.value }

    public func text(_ name: String, default fallback: String) -> String { text(name) ?? fallback }

    /// A setting that is not ours and has one name only (`AWS_REGION`).
    public func foreign(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// What stands between commas, without white space; empty when it isn't set.
    public func list(_ name: String) -> [String] {
        (text(name) ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
    }

    public mutating func required(_ name: String, _ hint: String) -> String {
        if let value = text(name) { return value }
        problem("TROUPE_\(name)", "is required: \(hint)")
        return ""
    }

    public mutating func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let (key, value) = found(name) else { return fallback }
        guard let number = Int(value), range.contains(number) else {
            problem(key, "'\(value)' is no whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return number
    }

    public mutating func flag(_ name: String, default fallback: Bool) -> Bool {
        guard let (key, value) = found(name) else { return fallback }
        switch value.lowercased() {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off": return false
        default:
            problem(key, "'\(value)' is neither true nor false")
            return fallback
        }
    }

    public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, default fallback: Choice
    ) -> Choice {
        guard let (key, value) = found(name) else { return fallback }
        guard let choice = Choice(rawValue: value.lowercased()) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            problem(key, "'\(value)' is none of: \(choices)")
            return fallback
        }
        return choice
    }

    /// A time span: `250ms`, `30s`, `5m`, `1h`, `1h30m`, or a plain number of seconds.
    public mutating func duration(_ name: String, default fallback: Duration, in range: ClosedRange<Duration>)
        -> Duration
    {
        guard let (key, value) = found(name) else { return fallback }
        guard let duration = Duration(text: value), range.contains(duration) else {
            problem(
                key,
                "'\(value)' is no time span from \(range.lowerBound) to \(range.upperBound), "
                    + "written like 250ms, 30s, 5m or 1h"
            )
            return fallback
        }
        return duration
    }

    /// Records what only the reader of a setting can see to be wrong.
    public mutating func problem(_ setting: String, _ message: String) {
        problems.append(Problem(setting: setting, message: message))
    }

    private func found(_ name: String) -> (key: String, value: String)? {
        for key in ["TROUPE_\(name)", "ASYA_\(name)"] {
            if let value = environment[key], !value.isEmpty { return (key, value) }
        }
        return nil
    }
}

extension Duration {
    /// Reads `250ms`, `1.5s`, `5m`, `1h30m` or a plain number of seconds; `nil` for anything else, negative spans
    /// included.
    public init?(text: String) {
        var rest = Substring(text)
        var total: Duration = .zero
        repeat {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let number = Double(digits), number < 1e9 else { return nil }
            switch unit {
            case "ms": total += .milliseconds(number)
            case "s": total += .seconds(number)
            case "m": total += .seconds(number * 60)
            case "h": total += .seconds(number * 3600)
            case "d": total += .seconds(number * 86_400)
            // A number without a unit stands alone.
            case "" where digits.count == text.count: total = .seconds(number)
            default: return nil
            }
        } while !rest.isEmpty
        self = total
    }
}
