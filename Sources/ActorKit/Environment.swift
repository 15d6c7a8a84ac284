public import FoundationEssentials

/// Settings from the environment. `TROUPE_X` wins over `ASYA_X`; a wrong value is refused under the name by which it was set.
public struct Environment: Sendable {
    private let variables: [String: String]

    public init(_ variables: [String: String] = ProcessInfo.processInfo.environment) { self.variables = variables }

    /// The variable that a setting comes from; `nil` where it isn't set.
    public func variable(of setting: String) -> String? {
        // Names that are not ours (`AWS_REGION`) are read as they are.
        for name in ["TROUPE_" + setting, "ASYA_" + setting, setting] where variables[name] != nil {
            if name != setting || setting.hasPrefix("AWS_") { return name }
        }
        return nil
    }

    /// The value without white space around it; `nil` where it isn't set.
    public subscript(setting: String) -> String? {
        variable(of: setting).flatMap { variables[$0] }.map(\.trimmingWhiteSpace)
    }

    /// - Throws: `StartError` when it is set to anything but `choices` (in any case).
    public func choice(_ setting: String, default value: String, of choices: [String]) throws(StartError) -> String {
        let text = (self[setting] ?? value).lowercased()
        guard let choice = choices.first(where: { $0.lowercased() == text }) else {
            throw refusal(of: setting, expected: "one of " + choices.joined(separator: ", "))
        }
        return choice
    }

    public func flag(_ setting: String, default value: Bool) throws(StartError) -> Bool {
        let yes = ["true", "1", "yes", "on"]
        let no = ["false", "0", "no", "off"]
        return yes.contains(try choice(setting, default: value ? "true" : "false", of: yes + no))
    }

    public func number(_ setting: String, default value: Int, in range: ClosedRange<Int>) throws(StartError) -> Int {
        guard let text = self[setting] else { return value }
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(text), range.contains(number)
        else { throw refusal(of: setting, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// The value, or `nil` where it isn't set.
    /// - Throws: `StartError` when `isValid` says no.
    public func text(
        _ setting: String, expected: String, _ isValid: (String) -> Bool = { !$0.isEmpty }
    ) throws(StartError) -> String? {
        guard let text = self[setting] else { return nil }
        guard isValid(text) else { throw refusal(of: setting, expected: expected) }
        return text
    }

    /// The error for a setting that is missing or wrong.
    /// - Parameter isSecret: keeps the value out of the message.
    public func refusal(of setting: String, expected: String, isSecret: Bool = false) -> StartError {
        guard let name = variable(of: setting) else {
            return StartError("TROUPE_\(setting) is not set: expected \(expected)", exitCode: StartError.wrongSetting)
        }
        let value = isSecret ? "wrong" : (variables[name] ?? "").debugDescription
        return StartError("\(name) is \(value): expected \(expected)", exitCode: StartError.wrongSetting)
    }
}

extension String {
    var trimmingWhiteSpace: String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
