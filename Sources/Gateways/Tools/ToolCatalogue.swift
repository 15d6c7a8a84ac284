internal import Envelopes
internal import FoundationEssentials
public import Yams

/// The tools of this gateway, and its prompts and resources, in the order of their files.
public struct ToolCatalogue: Sendable, Hashable {
    private(set) var tools: [Tool]
    private(set) var prompts: [Prompt]
    private(set) var resources: [Resource]
    private let byName: [String: Tool]

    public init() { self.init([]) }

    init(_ tools: [Tool], prompts: [Prompt] = [], resources: [Resource] = []) {
        self.tools = tools
        self.prompts = prompts
        self.resources = resources
        byName = Dictionary(tools.map { ($0.name, $0) }) { first, _ in first }
    }

    subscript(name: String) -> Tool? { byName[name] }

    /// These, and behind them others.
    public func with(_ others: ToolCatalogue) -> ToolCatalogue {
        ToolCatalogue(
            tools + others.tools, prompts: prompts + others.prompts, resources: resources + others.resources)
    }

    /// Of tools and prompts, and URIs, that are in both.
    public func names(sharedWith others: ToolCatalogue) -> [String] {
        func shared(_ mine: [String], _ theirs: [String]) -> [String] { mine.filter(theirs.contains) }
        return shared(names, others.names) + shared(prompts.map(\.name), others.prompts.map(\.name))
            + shared(resources.map(\.uri.source), others.resources.map(\.uri.source))
    }

    /// The names of the tools, in order.
    public var names: [String] { tools.map(\.name) }

    /// Values for the arguments that a tool needs, to try it out: its own examples where it has any.
    public func examples(of name: String) -> [(name: String, value: String)] {
        (byName[name]?.parameters ?? []).filter(\.parameter.isRequired).map { named in
            let parameter = named.parameter
            let example = parameter.fallback ?? parameter.options.first
            return (named.name, example.map { $0.string ?? $0.description } ?? parameter.kind.example)
        }
    }

    /// The actors of each tool.
    public var routes: [String: [String]] { byName.mapValues(\.route) }

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
    static func read(_ path: String) throws(FileErrors) -> ToolCatalogue {
        var reader = ToolFileReader()
        for file in try files(at: path) {
            do throws(FileErrors) {
                reader.read(try String(file: file), file: file)
            } catch { reader.problems += error.problems }
        }
        return try reader.finish()
    }

    /// Reads what a document that has more in it says of tools.
    /// - Parameter mapping: with `keys` only.
    public static func read(_ mapping: Node.Mapping, file: String) -> (ToolCatalogue, [FileProblem]) {
        var reader = ToolFileReader()
        reader.read(mapping, file: file)
        return (reader.catalogue, reader.problems)
    }

    /// What stands at the top of a file.
    public static let keys = ToolFileReader.keys

    static func reader(_ path: String) -> LiveFile<ToolCatalogue>.Reader {
        { () throws(FileErrors) in try read(path) }
    }

    /// Reads one text; for tests and for what comes from elsewhere than files.
    static func parse(_ text: String, file: String = "tools.yaml") throws(FileErrors) -> ToolCatalogue {
        var reader = ToolFileReader()
        reader.read(text, file: file)
        return try reader.finish()
    }

    private static func files(at path: String) throws(FileErrors) -> [String] {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw FileErrors(path, "there is no such file or folder")
        }
        guard isFolder else { return [path] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        // Kubernetes mounts a ConfigMap's files through names that begin with two dots.
        return names.filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".") }.sorted().map {
            "\(path)/\($0)"
        }
    }
}

extension ToolParameter.Kind {
    fileprivate var example: String {
        switch self {
        case .string: "..."
        case .number, .integer: "1"
        case .boolean: "true"
        case .array: "[]"
        case .object: "{}"
        }
    }
}
