internal import FoundationEssentials

/// A mistake in a file of settings.
public struct FileProblem: Sendable, Hashable, CustomStringConvertible {
    public var file: String
    /// From 1.
    public var line: Int?
    /// From 1, in Unicode scalars.
    public var column: Int?
    /// Holds no secrets.
    public var message: String

    public init(file: String, line: Int? = nil, column: Int? = nil, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    /// `file:line:column: message`, without what is not known.
    public var description: String {
        let place = [line, column].compactMap { $0.map { ":\($0)" } }.joined()
        return "\(file)\(place): \(message)"
    }
}

/// Every mistake that was found.
public struct FileErrors: Error, Hashable, CustomStringConvertible {
    public let problems: [FileProblem]

    public init(_ problems: [FileProblem]) { self.problems = problems }

    public init(_ file: String, _ message: String) {
        self.init([FileProblem(file: file, message: message)])
    }

    /// Without their places.
    public var messages: [String] { problems.map(\.message) }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension String {
    /// The text of a file.
    public init(file path: String) throws(FileErrors) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FileErrors(path, "cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw FileErrors([.notUTF8(data, path)]) }
        self = text
    }
}

extension FileProblem {
    /// The place of the first byte that no text can have.
    fileprivate static func notUTF8(_ data: Data, _ file: String) -> FileProblem {
        var problem = FileProblem(file: file, line: 1, message: "is not UTF-8")
        for (number, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        where String(validating: line, as: UTF8.self) == nil {
            problem.line = number + 1
            // The replacement stands where decoding had to give up.
            let good = String(decoding: line, as: UTF8.self).unicodeScalars.prefix { $0 != "\u{FFFD}" }
            problem.column = good.count + 1
            break
        }
        return problem
    }
}
