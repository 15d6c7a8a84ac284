import ArgumentParser
import Dev
import Envelopes
import Gateways
import Projects
import Settings

/// `troupe run-handler`
struct RunHandlerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-handler",
        abstract: "Calls one handler once, in its real runtime, without a pipeline.",
        discussion: """
            The handler is an actor of troupe.yaml, or a function in Python, or with
            --command any program that serves Troupe's socket. What it returns goes to
            standard output, a line each; what it writes, to standard error.

              troupe run-handler summarise --payload '{"text": "..."}'
              troupe run-handler handlers/read.py:process --payload request.json
              troupe run-handler handlers.read.process --payload - < request.json
              troupe run-handler --command .build/debug/summary --payload section.json
            """)

    @Argument(help: "An actor of the project, file.py:function, or module.function.")
    var handler: String?

    @Option(
        help: ArgumentHelp("JSON, a file with JSON, or - for standard input.", valueName: "json|file|-"),
        completion: .file())
    var payload: String

    @Option(
        parsing: .upToNextOption, help: ArgumentHelp("A program and its arguments.", valueName: "word"),
        completion: .file())
    var command: [String] = []

    @Option(help: ArgumentHelp("A header of the envelope.", valueName: "name=value"))
    var header: [String] = []

    @Option(help: "The project: its folder, or its file.", completion: .file(extensions: ["yaml", "yml"]))
    var project = "."

    @Flag(help: "The handler gets and returns whole envelopes.")
    var envelopeMode = false

    @Option(help: ArgumentHelp("Of the call, like 30s. Default: the actor's, or 5m.", valueName: "time"))
    var timeout: String?

    @Option(help: "Colors: auto is where a terminal is, unless NO_COLOR is set.")
    var color: ColorChoice = .auto

    func validate() throws {
        if (handler == nil) == command.isEmpty {
            throw ValidationError("name a handler, or a program with --command")
        }
        if let wrong = header.first(where: { !$0.dropFirst().contains("=") }) {
            throw ValidationError("--header '\(wrong)' must be name=value")
        }
        if let timeout { _ = try Duration(option: "--timeout", timeout) }
    }

    func run() async throws {
        let payload = try await PayloadInput.read(payload)
        let settings = Settings.ofProcess()
        let (actor, project) = try chosen()
        var headers = Headers()
        for pair in header {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            headers[String(parts[0])] = RawJSON(loose: String(parts[1]))
        }
        let console = Console(.error(color), .init(), sources: [actor.name])
        let trial = HandlerTrial(actor, of: project, settings: settings) { console.show($0) }
        let outcome: HandlerTrial.Outcome
        do throws(DevError) {
            outcome = try await trial.call(
                payload, headers: headers, timeout: try? timeout.map { try Duration(option: "--timeout", $0) })
        } catch { throw CommandFailure(error.message, error.exit) }
        console.flush()
        switch outcome {
        case .results(let results): for result in results { Output.line(result.description) }
        case .failed(let failure):
            // Its runtime has shown the traceback.
            throw CommandFailure("\(failure.type): \(failure.message)", .failed)
        case .ended(let how):
            throw CommandFailure("the handler's process has ended (\(how)) without an answer", .failed)
        }
    }

    /// What is meant, and where it runs.
    private func chosen() throws -> (ProjectActor, Project) {
        let nothing = Project.empty(in: project == "." ? "" : project)
        guard let handler else {
            return (adjusted(ProjectActor(name: "handler", handler: .command(command))), nothing)
        }
        // A project that is there must be right; one that isn't is not asked for.
        if Project.isThere(project) {
            let project = try ProjectFile.read(project)
            if let actor = project.actors.first(where: { $0.name == handler }) { return (adjusted(actor), project) }
            return (adjusted(try function(handler, in: project)), project)
        }
        return (adjusted(try function(handler, in: nothing)), nothing)
    }

    private func function(_ text: String, in project: Project) throws -> ProjectActor {
        do throws(FileErrors) {
            return ProjectActor(name: "handler", handler: .python(try PythonHandler.named(text, in: project.folder)))
        } catch {
            let names = project.actors.map(\.name)
            let hint = names.isEmpty ? "" : "; the project's actors are: \(names.joined(separator: ", "))"
            throw CommandFailure(error.messages.joined(separator: "\n") + hint, .notFound)
        }
    }

    private func adjusted(_ actor: ProjectActor) -> ProjectActor {
        var actor = actor
        if envelopeMode { actor.settings["TROUPE_HANDLER_MODE"] = "envelope" }
        return actor
    }
}
