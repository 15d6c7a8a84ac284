internal import FoundationEssentials
internal import Projects
internal import Settings

/// What runs handlers in Python.
struct PythonInstallation: Sendable, Hashable {
    /// A path.
    var interpreter: String
    /// Path of `troupe_runtime.py`.
    var runtime: String

    /// - Throws: `.noPython`, with what to do.
    static func find(for home: Home, _ settings: Settings) throws(DevError) -> PythonInstallation {
        PythonInstallation(interpreter: try interpreter(home, settings), runtime: try runtime(settings))
    }

    /// Those of a project's handlers, and of the projects that it includes.
    static func all(for project: Project, _ settings: Settings) throws(DevError) -> [Home: PythonInstallation] {
        var found: [Home: PythonInstallation] = [:]
        for actor in project.actors {
            let home = project.home(of: actor)
            if case .python = actor.handler, found[home] == nil { found[home] = try find(for: home, settings) }
        }
        return found
    }

    /// What the project says, its own virtual environment, or what there is.
    private static func interpreter(_ home: Home, _ settings: Settings) throws(DevError) -> String {
        let path = settings.foreign("PATH")
        if let name = home.python {
            if let program = ProgramPath.find(name, in: home.folder, path) { return program }
            throw DevError(.noPython, "\(home.file): python: there is no program '\(name)'")
        }
        for name in [".venv/bin/python", "python3"] {
            if let program = ProgramPath.find(name, in: home.folder, path) { return program }
        }
        throw DevError(
            .noPython,
            "there is no python3, which handlers in Python need: install it, or name one with 'python:' in \(home.file)"
        )
    }

    /// Beside the program, or in the sources that it was built from.
    private static func runtime(_ settings: Settings) throws(DevError) -> String {
        let files = FileManager.default
        if let path = settings.text("PYTHON_RUNTIME") {
            if files.fileExists(atPath: path) { return path }
            throw DevError(.noPython, "TROUPE_PYTHON_RUNTIME: there is no file '\(path)'")
        }
        var folder = (try? files.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            for place in ["troupe_runtime.py", "share/troupe/troupe_runtime.py", "actors/runtime/troupe_runtime.py"]
            where files.fileExists(atPath: "\(folder)/\(place)") {
                return "\(folder)/\(place)"
            }
        }
        throw DevError(
            .noPython, "troupe_runtime.py is not beside the program: set TROUPE_PYTHON_RUNTIME to where it is")
    }
}
