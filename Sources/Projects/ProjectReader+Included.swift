internal import FoundationEssentials
internal import Gateways
internal import Yams

/// Projects that run as one with this one: `include: [folder, ...]`. Each is right by itself, and its handlers run in its
/// own folder. No two of them may mean different things by one name.
extension ProjectReader {
    /// What has been read of them.
    struct Included {
        var homes: [Home] = []
        var actors: [ProjectActor] = []
        var routes: [String: [String]] = [:]
        var tools = ToolCatalogue()
        var hasFaults = false
    }

    mutating func readIncluded(_ node: Node?) -> [(Node, Project)] {
        guard let node, !node.isNull else { return [] }
        if isIncluded {
            report(node, "a project that is included can include none: name its folders where it is included")
            return []
        }
        return list(node, "'include'").compactMap { entry in
            string(entry, "a folder of 'include'").flatMap { readIncluded($0, entry) }.map { (entry, $0) }
        }
    }

    private mutating func readIncluded(_ name: String, _ node: Node) -> Project? {
        let parent = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        let (shown, path) = name.hasPrefix("/") ? (name, name) : (parent + name, "\(folder)/\(name)")
        guard FileManager.default.fileExists(atPath: "\(path)/\(Project.fileName)") else {
            report(node, "include: there is no \(Project.fileName) in '\(name)'")
            return nil
        }
        do throws(FileErrors) {
            return try Project.parse(
                try String(file: "\(path)/\(Project.fileName)"), file: "\(shown)/\(Project.fileName)",
                folder: URL(filePath: path).standardized.path, isIncluded: true)
        } catch {
            problems += error.problems
            return nil
        }
    }

    /// All of them as one.
    mutating func merged(_ projects: [(Node, Project)], own: [String]) -> Included {
        var all = Included()
        var files = Dictionary(own.map { ($0, file) }) { first, _ in first }
        for (node, project) in projects {
            for name in project.actors.map(\.name) + project.routes.keys.sorted() {
                if let other = files.updateValue(project.file, forKey: name) { reportTwice(name, other, project, node) }
            }
            for name in all.tools.names(sharedWith: project.tools) {
                reportTwice(name, "another project", project, node)
            }
            all.homes.append(project.home)
            all.actors += project.actors.map { actor in
                var actor = actor
                actor.home = project.home
                return actor
            }
            all.routes.merge(project.routes) { first, _ in first }
            all.tools = all.tools.with(project.tools)
            all.hasFaults = all.hasFaults || project.hasFaults
        }
        return all
    }

    mutating func reportTwice(_ name: String, _ other: String, _ project: Project, _ node: Node) {
        report(node, "'\(name)' of \(project.file) is also in \(other): one of them needs another name")
    }
}
