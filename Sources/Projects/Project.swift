internal import FoundationEssentials
public import Gateways

/// A pipeline as `troupe.yaml` describes it: the actors, the ways between them, and what a gateway offers of it.
public struct Project: Sendable, Hashable {
    /// As messages name it.
    public var file: String
    /// Where the file is: handlers are looked up there, and run there.
    public var folder: String
    /// In the order of the file; behind them those of included projects.
    public var actors: [ProjectActor]
    /// By name, with all that they include.
    public var routes: [String: [String]]
    public var tools: ToolCatalogue
    /// Of the gateway; `nil` where the file doesn't say.
    public var port: Int?
    /// The interpreter of Python handlers; `nil` where the file doesn't say.
    public var python: String?
    /// Whether things may go wrong on purpose.
    public var hasFaults: Bool
    /// Projects that run as one with this one.
    public var included: [Home]

    public init(
        file: String, folder: String, actors: [ProjectActor], routes: [String: [String]], tools: ToolCatalogue,
        port: Int? = nil, python: String? = nil, hasFaults: Bool = false, included: [Home] = []
    ) {
        self.file = file
        self.folder = folder
        self.actors = actors
        self.routes = routes
        self.tools = tools
        self.port = port
        self.python = python
        self.hasFaults = hasFaults
        self.included = included
    }

    public static let fileName = "troupe.yaml"

    /// - Parameter path: a file, or a folder with a `troupe.yaml`.
    /// - Throws: every mistake at once, in the order of their lines.
    public static func read(_ path: String = fileName) throws(FileErrors) -> Project {
        var isFolder = false
        let files = FileManager.default
        let isThere = files.fileExists(atPath: path, isDirectory: &isFolder)
        let folder = path == "." ? "" : path.hasSuffix("/") ? path : path + "/"
        let file = isFolder ? folder + fileName : path
        guard isThere, files.fileExists(atPath: file) else {
            throw FileErrors(file, "there is no such file: `troupe init` makes one")
        }
        guard let size = try? files.attributesOfItem(atPath: file)[.size] as? Int, size <= sizeLimit else {
            throw FileErrors(file, "is larger than 1 MiB, or cannot be read")
        }
        let parent = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
        let absolute = parent.hasPrefix("/") ? parent : files.currentDirectoryPath + "/" + parent
        return try parse(String(file: file), file: file, folder: URL(filePath: absolute).standardized.path)
    }

    /// Reads a text; `folder` is where the file would be.
    static func parse(
        _ text: String, file: String = fileName, folder: String, isIncluded: Bool = false
    ) throws(FileErrors) -> Project {
        var reader = ProjectReader(file: file, folder: folder, isIncluded: isIncluded)
        let project = reader.read(text)
        guard let project, reader.problems.isEmpty else { throw FileErrors(reader.problems.inOrder(after: file)) }
        return project
    }

    /// Bytes.
    private static let sizeLimit = 1 << 20
}

extension [FileProblem] {
    /// Of the file, and behind it of those that it includes.
    fileprivate func inOrder(after file: String) -> [FileProblem] {
        func place(_ problem: FileProblem) -> (String, Int, Int) {
            (problem.file == file ? "" : problem.file, problem.line ?? 0, problem.column ?? 0)
        }
        return sorted { place($0) < place($1) }
    }
}
