internal import FoundationEssentials
public import Gateways

/// For a look at one handler, be there a project or not.
extension Project {
    /// - Parameter path: a file, or a folder.
    public static func isThere(_ path: String) -> Bool {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return false }
        return !isFolder || FileManager.default.fileExists(atPath: "\(path)/\(fileName)")
    }

    /// None of any file.
    /// - Parameter folder: where handlers run; empty: the current one.
    public static func empty(in folder: String = "") -> Project {
        let current = FileManager.default.currentDirectoryPath
        let path = folder.isEmpty ? current : folder.hasPrefix("/") ? folder : "\(current)/\(folder)"
        return Project(file: fileName, folder: path, actors: [], routes: [:], tools: ToolCatalogue())
    }
}

extension PythonHandler {
    /// - Parameters:
    ///   - text: `handlers/split.py:process`, or `handlers.split.process`.
    ///   - folder: of the project.
    /// - Throws: what is wrong with it, with a suggestion.
    public static func named(_ text: String, in folder: String) throws(FileErrors) -> PythonHandler {
        do throws(HandlerPath.Problem) { return try HandlerPath.parse(text, in: folder) } catch {
            throw FileErrors(text, error.message)
        }
    }
}
