internal import EventLoops
internal import FoundationEssentials
internal import Projects

/// How an actor's handler is started.
struct HandlerCommand {
    /// Of the actors that have no other.
    let home: Home
    let pythons: [Home: PythonInstallation]
    /// What the handler's process gets, besides what is said for it.
    let environment: [String: String]
    /// Asked when a handler starts; `nil` where there is none.
    var gatewayURL: @Sendable () -> String? = { nil }

    /// - Parameter socketFolder: where it listens.
    func command(for actor: ProjectActor, socketFolder: String) -> ChildProcess.Command {
        var environment = environment.merging(actor.environment) { $1 }
        for (name, value) in actor.settings { environment[name] = value }
        environment["TROUPE_ACTOR_NAME"] = actor.name
        if environment["TROUPE_GATEWAY_URL"] == nil { environment["TROUPE_GATEWAY_URL"] = gatewayURL() }
        environment["TROUPE_SOCKET_DIR"] = socketFolder
        let home = actor.home ?? home
        let folder = home.folder
        switch actor.handler {
        case .python(let handler):
            environment["TROUPE_HANDLER"] = handler.path
            let python = pythons[home]
            return ChildProcess.Command(
                python?.interpreter ?? "python3", [python?.runtime ?? ""], environment: environment, folder: folder)
        case .command(let words):
            let program = ProgramPath.find(words[0], in: folder, environment["PATH"]) ?? words[0]
            return ChildProcess.Command(program, Array(words.dropFirst()), environment: environment, folder: folder)
        case .swift(let package, let product):
            // What cannot be built cannot be started: a change is waited for.
            return ChildProcess.Command(
                "/bin/sh", ["-c", Self.building, product],
                environment: environment, folder: package.hasPrefix("/") ? package : "\(folder)/\(package)")
        }
    }

    /// Says so, since the first time takes a minute or more.
    private static let building = #"""
        echo "building with: swift build --product $0"
        swift build -q --product "$0" >&2 || exit 78
        exec ".build/debug/$0"
        """#

    /// What is nobody's business but ours, and what would tell handlers something wrong.
    static func environment(from process: [String: String]) -> [String: String] {
        var environment = process.filter { name, _ in
            !["TROUPE_", "ASYA_"].contains { name.hasPrefix($0) }
                || ["_LOG_LEVEL", "_MAX_MESSAGE_BYTES", "_MAX_NESTING"].contains { name.hasSuffix($0) }
        }
        // What Python prints is seen at once; what it compiles may be older than what was saved in the same second.
        environment["PYTHONUNBUFFERED"] = "1"
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return environment
    }
}

/// Looks for programs, as a shell does.
enum ProgramPath {
    /// - Parameters:
    ///   - folder: for names with a slash.
    ///   - path: of folders, with colons.
    static func find(_ name: String, in folder: String, _ path: String?) -> String? {
        if name.contains("/") {
            let file = name.hasPrefix("/") ? name : "\(folder)/\(name)"
            return isProgram(file) ? file : nil
        }
        for folder in (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        where isProgram("\(folder)/\(name)") {
            return "\(folder)/\(name)"
        }
        return nil
    }

    private static func isProgram(_ path: String) -> Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder
            && FileManager.default.isExecutableFile(atPath: path)
    }
}
