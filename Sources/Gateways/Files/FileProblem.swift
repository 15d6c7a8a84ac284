internal import FoundationEssentials
internal import Yams

/// A mistake in a file of settings.
struct FileProblem: Sendable, Hashable, CustomStringConvertible {
    var file: String
    /// From 1.
    var line: Int?
    /// Holds no secrets.
    var message: String

    var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(message)" }
}

extension FileProblem {
    /// - Parameter error: of Yams.
    init(yaml error: any Error, file: String) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(file: file, line: mark.line, message: "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "'\($0)'" }.joined(separator: ", ")
            self.init(file: file, line: context.mark.line, message: "the same key twice: \(names)")
        default: self.init(file: file, line: nil, message: "is not YAML")
        }
    }
}

/// Every mistake that was found.
public struct FileErrors: Error, CustomStringConvertible {
    let problems: [FileProblem]

    init(_ problems: [FileProblem]) { self.problems = problems }

    init(_ file: String, _ message: String) {
        self.init([FileProblem(file: file, line: nil, message: message)])
    }

    /// Without their places.
    public var messages: [String] { problems.map(\.message) }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension String {
    /// The text of a file.
    init(file path: String) throws(FileErrors) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FileErrors(path, "cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw FileErrors(path, "is not UTF-8") }
        self = text
    }
}
