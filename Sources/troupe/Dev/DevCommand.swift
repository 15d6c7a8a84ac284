import ArgumentParser
import Dev
import EventLoops
import Gateways
import Glibc
import Logging
import Projects
import Settings
import UnixSignals

/// `troupe dev`
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Runs the pipeline of a troupe.yaml on this machine.",
        discussion: """
            Gateway, sidecars and end actors in one process, handlers beside it;
            envelopes and their state in .troupe/, where they survive a restart.
            A handler is started again when its file is saved. Ctrl-C ends all of
            it; what is not finished goes on after the next start.

              troupe dev
              troupe dev --port 0 --quiet
              troupe dev --broker amqp://guest:guest@localhost --database postgres://...
            """)

    @Argument(help: "The project: its folder, or its file.", completion: .file(extensions: ["yaml", "yml"]))
    var project = "."

    @Option(help: "The gateway's port; 0 takes any. Default: gateway.port in the file, or 8080.")
    var port: Int?

    @Option(help: "The address to listen on; others than loopback need API keys: docs/security.md.")
    var host = "127.0.0.1"

    @Option(help: ArgumentHelp("Run on RabbitMQ; goes with --database.", valueName: "url"))
    var broker: String?

    @Option(help: ArgumentHelp("Keep envelopes in PostgreSQL; goes with --broker.", valueName: "url"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "Where envelopes and results are kept. Default: .troupe in the project's folder.", valueName: "folder"),
        completion: .directory)
    var state: String?

    @Flag(help: "Lets things go wrong on purpose: `troupe fault`, docs/faults.md.")
    var faults = false

    @Flag(name: [.short, .long], help: "Shows problems only.")
    var quiet = false

    @Flag(name: [.short, .long], help: "Shows also what Troupe's parts do.")
    var verbose = false

    @Flag(help: "A JSON object a line: time, actor, stream, level, text.")
    var json = false

    @Option(help: "Colors: auto is where a terminal is, unless NO_COLOR is set.")
    var color: ColorChoice = .auto

    func validate() throws {
        if let port, !(0...65535).contains(port) { throw ValidationError("--port must be from 0 to 65535") }
        if (broker == nil) != (database == nil) {
            throw ValidationError("--broker and --database go together: both are servers, or neither is")
        }
    }

    func run() async throws {
        let start = MonotonicTime.now
        let project = try ProjectFile.read(self.project)
        var options = Pipeline.Options()
        options.broker = broker
        options.database = database
        options.host = host
        options.port = port ?? project.port ?? options.port
        options.state = state
        options.hasFaults = faults
        options.logLevel = verbose ? .info : .notice
        let console = Console(
            .output(color), .init(isJSON: json, isQuiet: quiet),
            sources: project.actors.map(\.name) + ["gateway", "happy-end", "error-end", "dev"])
        let pipeline = Pipeline(project, options, settings: .ofProcess()) { console.show($0) }
        let stopping = Task {
            var isFirst = true
            for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup) {
                // Who asks twice doesn't want to wait; handlers die with us.
                if !isFirst { Glibc._exit(CommandExit.interrupted.rawValue) }
                isFirst = false
                console.say([StyledLine("stopping; Ctrl-C again ends at once", .dim)])
                pipeline.end()
            }
        }
        defer { stopping.cancel() }
        do throws(DevError) {
            try await pipeline.run { ready in
                console.say(Welcome(project: project, ready: ready, time: start.duration(to: .now)).lines)
                if json { console.show(LogLine("dev", .log, level: .notice, "ready: \(ready.url)")) }
            }
        } catch {
            console.flush()
            throw CommandFailure(error.message, error.exit)
        }
        console.flush()
    }
}

extension DevError {
    var exit: CommandExit {
        switch code {
        case .inUse, .portTaken, .unavailable, .noPython: .noGateway
        case .configuration: .wrongSettings
        case .notPermitted: .cannotWrite
        }
    }
}

/// A project's file, as commands read it.
enum ProjectFile {
    /// - Throws: `CommandFailure` with every mistake.
    static func read(_ path: String) throws(CommandFailure) -> Project {
        do throws(FileErrors) { return try Project.read(path) } catch {
            let count = error.problems.count
            throw CommandFailure((count == 1 ? "" : "\(count) mistakes:\n") + error.description, .wrongSettings)
        }
    }
}
