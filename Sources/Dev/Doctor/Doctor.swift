internal import EventLoops
internal import Foundation
internal import Gateways
internal import Glibc
internal import Projects
public import Settings
internal import Synchronization
internal import Transports

/// Looks at everything that a pipeline needs, and says what to do where something is missing. Changes nothing.
public struct Doctor: Sendable {
    private let path: String
    private let settings: Settings

    /// - Parameters:
    ///   - project: a folder, or a file; it need not be there.
    ///   - settings: of the process.
    public init(project: String, settings: Settings) {
        path = project
        self.settings = settings
    }

    /// - Parameter tell: gets each finding as soon as it is there.
    public func examine(_ tell: (Finding) -> Void) async {
        let project = examineProject(tell)
        tell(sockets())
        if let project {
            for finding in await handlers(of: project) { tell(finding) }
            tell(store(of: project))
        }
        for finding in await broker(project) { tell(finding) }
        tell(await database())
    }

    // MARK: The project

    private func examineProject(_ tell: (Finding) -> Void) -> Project? {
        guard Project.isThere(path) else {
            tell(Finding("project", .skipped, "no \(Project.fileName) here", advice: "`troupe init` makes one"))
            return nil
        }
        do throws(FileErrors) {
            let project = try Project.read(path)
            let names = project.actors.map(\.name).joined(separator: ", ")
            tell(Finding("project", .ok, "\(project.file): \(names)"))
            return project
        } catch {
            for problem in error.problems { tell(Finding("project", .problem, "\(problem)", advice: "mend the file")) }
            return nil
        }
    }

    private func handlers(of project: Project) async -> [Finding] {
        var findings: [Finding] = []
        do throws(DevError) {
            let pythons = Set(try PythonInstallation.all(for: project, settings).values.map(\.interpreter))
            findings += pythons.sorted().map { Finding("python", .ok, $0) }
        } catch {
            return [Finding("python", .problem, error.message)]
        }
        do throws(FileErrors) { try await HandlerCheck.check(project, settings) } catch {
            return findings + error.problems.map { Finding("handler", .problem, "\($0)", advice: "mend the file") }
        }
        for actor in project.actors { findings.append(await start(of: actor, in: project)) }
        return findings
    }

    /// For real, as `troupe dev` would.
    private func start(of actor: ProjectActor, in project: Project) async -> Finding {
        if case .swift(let package, let product) = actor.handler {
            return Finding(
                "handler", .skipped, "\(actor.name): built when it is started",
                advice: "`swift build --package-path \(package) --product \(product)` shows whether it can be")
        }
        let output = Mutex<[String]>([])
        let trial = HandlerTrial(actor, of: project, settings: settings) { line in
            output.withLock { $0.append(line.text) }
        }
        do throws(DevError) {
            switch try await trial.start(within: .seconds(10)) {
            case .ready(let time): return Finding("handler", .ok, "\(actor.name): ready after \(time.inWords)")
            case .ended(let how):
                let words = output.withLock(\.self).suffix(20).joined(separator: "\n")
                return Finding("handler", .problem, "\(actor.name): does not start (\(how))\n\(words)")
            case .silent:
                return Finding(
                    "handler", .warning, "\(actor.name): not ready after 10s",
                    advice: "what it loads at its start takes long, or it does not serve TROUPE_SOCKET_DIR")
            }
        } catch {
            return Finding("handler", .problem, "\(actor.name): \(error.message)")
        }
    }

    private func store(of project: Project) -> Finding {
        let path = project.folder + "/.troupe/troupe.db"
        guard access(path, F_OK) == 0 else {
            return Finding("store", .skipped, "nothing kept yet", advice: "`troupe dev` begins it")
        }
        // Opening it would write to it. https://www.sqlite.org/fileformat.html, 1.2
        guard let head = FileHandle(forReadingAtPath: path)?.readData(ofLength: 16) else {
            return Finding("store", .problem, "'\(path)' cannot be read", advice: "look at its rights")
        }
        guard head.isEmpty || head == Data("SQLite format 3\0".utf8) else {
            return Finding("store", .problem, "'\(path)' is no database", advice: "move it away to begin anew")
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        return Finding("store", .ok, ".troupe/troupe.db, \(max(1, size >> 10)) KiB")
    }

    // MARK: The machine and its servers

    private func sockets() -> Finding {
        do throws(DevError) {
            let folder = try SocketFolder.made("/troupe-doctor-")
            rmdir(folder)
            return Finding("sockets", .ok, "in \(SocketFolder.place)")
        } catch {
            return Finding("sockets", .problem, error.message, advice: "set TMPDIR to a short path that can be written")
        }
    }

    private func broker(_ project: Project?) async -> [Finding] {
        guard settings.text("RABBITMQ_URL") != nil else {
            return [Finding("broker", .skipped, "TROUPE_RABBITMQ_URL is not set", advice: "`troupe dev` needs none")]
        }
        var settings = settings
        let broker = RabbitMQSettings(&settings, connectionName: "troupe doctor")
        if !settings.problems.isEmpty {
            return settings.problems.map { Finding("broker", .problem, "\($0)") }
        }
        let actors = (project?.actors.map(\.name) ?? []) + ["happy-end", "error-end"]
        let queues = actors.map(ObservedQueue.actor) + actors.map { ObservedQueue.deadLetters(actor: $0) }
        let observer = RabbitMQQueues(broker)
        do throws(TransportError) {
            let states = try await observer.look(at: queues + [.statusReports])
            return [Finding("broker", .ok, "RabbitMQ at \(broker.address)")] + actors.map { look($0, observer, states) }
        } catch {
            return [
                Finding(
                    "broker", .problem, "RabbitMQ at \(broker.address): \(error.message)",
                    advice: "is it running? Are host, port, user and virtual host of TROUPE_RABBITMQ_URL right?")
            ]
        }
    }

    private func look(
        _ actor: String, _ observer: RabbitMQQueues, _ states: [ObservedQueue: QueueState]
    ) -> Finding {
        let name = observer.name(of: .actor(actor))
        guard let state = states[.actor(actor)] else {
            return Finding(
                "queue", .warning, "\(name): not there yet", advice: "the actor's sidecar makes it at its start")
        }
        let dead = states[.deadLetters(actor: actor)]?.ready ?? 0
        if dead > 0 {
            return Finding(
                "queue", .warning, "\(name): \(state.ready) waiting, \(dead) dead letters",
                advice: "`troupe dlq list --actor \(actor)` shows them")
        }
        if state.consumers == 0 {
            return Finding(
                "queue", .warning, "\(name): \(state.ready) waiting, nobody takes them",
                advice: "start a sidecar of '\(actor)'")
        }
        return Finding("queue", .ok, "\(name): \(state.ready) waiting, \(state.consumers) consumers")
    }

    private func database() async -> Finding {
        guard settings.text("DATABASE_URL") != nil else {
            return Finding("database", .skipped, "TROUPE_DATABASE_URL is not set", advice: "`troupe dev` needs none")
        }
        var settings = settings
        do throws(GatewayStartError) { try await GatewayDatabase.checkPostgreSQL(&settings) } catch {
            return Finding("database", .problem, error.message)
        }
        if let problem = settings.problems.first { return Finding("database", .problem, "\(problem)") }
        return Finding("database", .ok, "PostgreSQL, with the schema that this gateway needs")
    }
}
