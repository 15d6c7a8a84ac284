internal import FoundationEssentials

/// The tools of this gateway, in the order of their files.
struct ToolCatalogue: Sendable, Hashable {
    private(set) var tools: [Tool]
    private let byName: [String: Tool]

    init(_ tools: [Tool] = []) {
        self.tools = tools
        byName = Dictionary(tools.map { ($0.name, $0) }) { first, _ in first }
    }

    subscript(name: String) -> Tool? { byName[name] }

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
