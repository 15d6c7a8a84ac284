internal import Settings
public import Yams

/// Reads parts of a YAML document, and gathers everything that is wrong with them.
public protocol YAMLReading {
    /// As messages name it.
    var file: String { get }
    var problems: [FileProblem] { get set }
}

extension YAMLReading {
    /// The document in a text; `nil` where there is none, and where it is not YAML, which is reported.
    public mutating func compose(_ text: String) -> Node? {
        do { return try Yams.compose(yaml: text) } catch {
            problems += FileProblem.list(yaml: error, text: text, file: file)
            return nil
        }
    }

    public mutating func report(_ node: Node?, _ message: String) { report(at: node?.mark, message) }

    mutating func report(at mark: Mark?, _ message: String) {
        problems.append(FileProblem(file: file, line: mark?.line, column: mark?.column, message: message))
    }

    // MARK: Values

    public mutating func checkKeys(_ mapping: Node.Mapping, of owner: String, known: [String]) {
        for (key, _) in mapping {
            guard let name = key.scalar?.string else {
                report(key, "a key of \(owner) must be a string")
                continue
            }
            if known.contains(name) { continue }
            report(
                key,
                "\(owner) has the unknown key '\(name)'\(Suggestion.words(for: name, among: known)); "
                    + "known are: \(known.joined(separator: ", "))")
        }
    }

    /// The elements of a list that may be missing.
    public mutating func list(_ node: Node?, _ label: String) -> [Node] {
        guard let node, !node.isNull else { return [] }
        guard let sequence = node.sequence else {
            report(node, "\(label) must be a list")
            return []
        }
        return Array(sequence)
    }

    public mutating func string(_ node: Node?, _ label: String) -> String? {
        guard let node else { return nil }
        guard let text = node.scalar?.string, !node.isNull else {
            report(node, "\(label) must be a string")
            return nil
        }
        return text
    }

    public mutating func boolean(_ node: Node?, _ label: String) -> Bool? {
        guard let node else { return nil }
        if let value = node.bool { return value }
        report(node, "\(label) must be true or false")
        return nil
    }

    public mutating func integer(_ node: Node?, _ label: String, in range: ClosedRange<Int>) -> Int? {
        guard let node else { return nil }
        if let value = node.int, range.contains(value) { return value }
        report(node, "\(label) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    public mutating func duration(_ node: Node?, _ label: String, in range: ClosedRange<Duration>) -> Duration? {
        guard let node else { return nil }
        if let value = node.scalar.flatMap({ Duration(text: $0.string) }), range.contains(value) { return value }
        report(
            node, "\(label) must be a time span from \(range.lowerBound) to \(range.upperBound), like 500ms, 30s or 5m")
        return nil
    }

    public mutating func choice<Value: RawRepresentable & CaseIterable>(_ node: Node?, _ label: String) -> Value?
    where Value.RawValue == String {
        guard let node else { return nil }
        if let value = node.scalar.flatMap({ Value(rawValue: $0.string) }) { return value }
        report(node, "\(label) must be one of: \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }
}

extension Node {
    public var isNull: Bool { scalar != nil && tag == Tag(.null) }
}

extension FileProblem {
    /// - Parameter error: of Yams, over `text`.
    static func list(yaml error: any Error, text: String, file: String) -> [FileProblem] {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            // What YAML says of a tab tells nobody that it is one.
            let tabs = tabs(in: text, file)
            if !tabs.isEmpty { return tabs }
            return [
                FileProblem(file: file, line: mark.line, column: mark.column, message: "is not YAML: \(problem)")
            ]
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "'\($0)'" }.joined(separator: ", ")
            return [
                FileProblem(
                    file: file, line: context.mark.line, column: context.mark.column,
                    message: "the same key twice: \(names)")
            ]
        case .reader(let problem, _, _, _): return [FileProblem(file: file, message: "is not YAML: \(problem)")]
        default: return [FileProblem(file: file, message: "is not YAML")]
        }
    }

    private static func tabs(in text: String, _ file: String) -> [FileProblem] {
        var problems: [FileProblem] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let indentation = line.prefix { $0 == " " || $0 == "\t" }
            guard let tab = indentation.firstIndex(of: "\t"), indentation.endIndex != line.endIndex else { continue }
            problems.append(
                FileProblem(
                    file: file, line: number + 1, column: line.distance(from: line.startIndex, to: tab) + 1,
                    message: "a tab in the indentation: YAML takes no tabs there, indent with spaces"))
        }
        return problems
    }
}
