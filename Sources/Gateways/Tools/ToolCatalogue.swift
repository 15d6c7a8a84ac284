internal import FoundationEssentials

/// The tools of this gateway, and its prompts and resources, in the order of their files.
struct ToolCatalogue: Sendable, Hashable {
    private(set) var tools: [Tool]
    private(set) var prompts: [Prompt]
    private(set) var resources: [Resource]
    private let byName: [String: Tool]

    init(_ tools: [Tool] = [], prompts: [Prompt] = [], resources: [Resource] = []) {
        self.tools = tools
        self.prompts = prompts
        self.resources = resources
        byName = Dictionary(tools.map { ($0.name, $0) }) { first, _ in first }
    }

    subscript(name: String) -> Tool? { byName[name] }

    func prompt(_ name: String) -> Prompt? { prompts.first { $0.name == name } }

    /// What a URI names, with the values that are in it: documents before templates.
    func resource(at uri: String) -> (resource: Resource, values: [String: String])? {
        for resources in [resources.filter { !$0.isTemplate }, resources.filter(\.isTemplate)] {
            for resource in resources {
                if let values = resource.values(in: uri) { return (resource, values) }
            }
        }
        return nil
    }

    /// Reads a YAML file, or all `.yaml` and `.yml` files of a folder in the order of their names.
    /// - Throws: all mistakes of all files at once.
    static func read(_ path: String) throws(ToolFileErrors) -> ToolCatalogue {
        var reader = ToolFileReader()
        for file in try files(at: path) {
            guard let data = FileManager.default.contents(atPath: file) else {
                reader.problems.append(ToolFileProblem(file: file, line: nil, message: "cannot be read"))
                continue
            }
            guard let text = String(validating: data, as: UTF8.self) else {
                reader.problems.append(ToolFileProblem(file: file, line: nil, message: "is not UTF-8"))
                continue
            }
            reader.read(text, file: file)
        }
        return try reader.finish()
    }

    /// Reads one text; for tests and for what comes from elsewhere than files.
    static func parse(_ text: String, file: String = "tools.yaml") throws(ToolFileErrors) -> ToolCatalogue {
        var reader = ToolFileReader()
        reader.read(text, file: file)
        return try reader.finish()
    }

    private static func files(at path: String) throws(ToolFileErrors) -> [String] {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ToolFileErrors([ToolFileProblem(file: path, line: nil, message: "there is no such file or folder")])
        }
        guard isFolder else { return [path] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        // Kubernetes mounts a ConfigMap's files through names that begin with two dots.
        return names.filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".") }.sorted().map {
            "\(path)/\($0)"
        }
    }
}

/// A mistake in a tool file.
struct ToolFileProblem: Sendable, Hashable, CustomStringConvertible {
    var file: String
    /// From 1.
    var line: Int?
    var message: String

    var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(message)" }
}

/// Every mistake that was found.
public struct ToolFileErrors: Error, CustomStringConvertible {
    let problems: [ToolFileProblem]

    init(_ problems: [ToolFileProblem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
