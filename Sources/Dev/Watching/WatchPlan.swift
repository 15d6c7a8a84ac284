internal import FoundationEssentials
internal import Projects

/// Which files concern which actors. Pure, but for one look at what is a folder.
struct WatchPlan {
    /// With whether all below them counts.
    private(set) var folders: [String: Bool] = [:]
    private var rules: [(actor: String, concerns: (String) -> Bool)] = []

    init(_ project: Project) {
        let handlerFiles = Set(
            project.actors.compactMap { actor in
                actor.pythonFile.map { "\(project.home(of: actor).folder)/\($0)" }
            })
        for actor in project.actors {
            let root = project.home(of: actor).folder
            switch actor.handler {
            case .python(let handler):
                let file = handler.file.map { "\(root)/\($0)" }
                let folder = file.map(Self.parent) ?? root
                folders[folder] = true
                // A handler's own file is nobody else's; the others beside it may be anybody's.
                add(actor) { path in
                    path == file
                        || path.hasSuffix(".py") && path.hasPrefix(folder + "/") && !handlerFiles.contains(path)
                }
            case .command(let words):
                for word in words { addFile(word, actor, root) }
            case .swift(let package, _):
                let folder = package == "." ? root : package.hasPrefix("/") ? package : "\(root)/\(package)"
                if folders[folder] == nil { folders[folder] = false }
                folders["\(folder)/Sources"] = true
                add(actor) { path in
                    path == "\(folder)/Package.swift"
                        || path.hasPrefix("\(folder)/Sources/") && path.hasSuffix(".swift")
                }
            }
            for name in actor.watched {
                let path = name.hasPrefix("/") ? name : "\(root)/\(name)"
                if Self.isFolder(path) {
                    folders[path] = true
                    add(actor) { $0.hasPrefix(path + "/") }
                } else {
                    addFile(name, actor, root)
                }
            }
        }
    }

    /// Those whose handlers are to be started again.
    func actors(concernedBy paths: Set<String>) -> Set<String> {
        Set(rules.filter { rule in paths.contains(where: rule.concerns) }.map(\.actor))
    }

    private mutating func add(_ actor: ProjectActor, _ concerns: @escaping (String) -> Bool) {
        rules.append((actor.name, concerns))
    }

    /// One file of the project, if it is one.
    private mutating func addFile(_ name: String, _ actor: ProjectActor, _ root: String) {
        let path = name.hasPrefix("/") ? name : "\(root)/\(name)"
        guard path.hasPrefix(root + "/"), FileManager.default.fileExists(atPath: path), !Self.isFolder(path) else {
            return
        }
        let folder = Self.parent(path)
        if folders[folder] == nil { folders[folder] = false }
        add(actor) { $0 == path }
    }

    private static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? path
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
    }
}

extension ProjectActor {
    fileprivate var pythonFile: String? { if case .python(let handler) = handler { handler.file } else { nil } }
}
