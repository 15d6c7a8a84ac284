internal import Envelopes
internal import EventLoops
public import Gateways
public import Projects
public import Settings
internal import Synchronization

/// Looks into the files of Python handlers, without running them: whether they are Python, and have the functions.
public enum HandlerCheck {
    /// - Throws: every mistake at once; also where there is no Python.
    public static func check(_ project: Project, _ settings: Settings) async throws(FileErrors) {
        var problems: [FileProblem] = []
        for home in project.homes {
            let handlers = project.actors.compactMap { actor -> PythonHandler? in
                guard project.home(of: actor) == home, case .python(let handler) = actor.handler else { return nil }
                return handler.file == nil ? nil : handler
            }
            problems += try await mistakes(in: handlers, at: home, settings).map { problem in
                var problem = problem
                if home != project.home { problem.file = "\(home.folder)/\(problem.file)" }
                return problem
            }
        }
        if !problems.isEmpty { throw FileErrors(problems) }
    }

    private static func mistakes(
        in handlers: [PythonHandler], at home: Home, _ settings: Settings
    ) async throws(FileErrors) -> [FileProblem] {
        if handlers.isEmpty { return [] }
        let python: PythonInstallation
        do throws(DevError) { python = try PythonInstallation.find(for: home, settings) } catch {
            throw FileErrors([FileProblem(file: home.file, message: error.message)])
        }
        let arguments = handlers.flatMap { [$0.file ?? "", $0.function] }
        let output = await output(
            of: ChildProcess.Command(
                python.interpreter, ["-I", "-c", script] + arguments, environment: settings.environment,
                folder: home.folder))
        guard let report = try? RawJSON(output), report.kind == .array else {
            throw FileErrors(home.file, "'\(python.interpreter)' cannot look at the handlers: is it Python 3?")
        }
        return report.elements.map { problem in
            let message = problem["message"]?.string ?? ""
            let names = problem["names"]?.elements.compactMap(\.string) ?? []
            return FileProblem(
                file: problem["file"]?.string ?? "", line: problem["line"]?.integer, column: problem["column"]?.integer,
                message: message + (problem["name"]?.string).map { Suggestion.words(for: $0, among: names) }.orEmpty)
        }
    }

    /// Gets files and functions in turn; writes a list of what is wrong.
    private static let script = #"""
        import ast, json, sys

        def problem(file, message, line=None, column=None, **more):
            found = dict(file=file, message=message, **more)
            found.update({k: v for k, v in (("line", line), ("column", column)) if v})
            problems.append(found)

        def names_in(body):
            for node in body:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    yield node.name, node
                elif isinstance(node, (ast.Import, ast.ImportFrom)):
                    for alias in node.names:
                        yield (alias.asname or alias.name).split(".")[0], None
                elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                    for target in ast.walk(node):
                        if isinstance(target, ast.Name):
                            yield target.id, None
                elif hasattr(node, "body"):
                    yield from names_in(node.body + getattr(node, "orelse", []))

        problems = []
        for file, function in zip(sys.argv[1::2], sys.argv[2::2]):
            try:
                with open(file, "rb") as source:
                    tree = ast.parse(source.read(), file)
            except SyntaxError as error:
                problem(file, "%s: %s" % (type(error).__name__, error.msg), error.lineno, error.offset)
                continue
            except (OSError, ValueError) as error:
                problem(file, str(error))
                continue
            scope = tree.body
            for name in function.split("."):
                names = dict(names_in(scope))
                if "*" in names:
                    break
                if name not in names:
                    problem(file, "there is no '%s'" % function, name=name, names=sorted(names))
                    break
                if not isinstance(names[name], ast.ClassDef) or names[name].bases:
                    break
                scope = names[name].body
        print(json.dumps([p for i, p in enumerate(problems) if p not in problems[:i]]))
        """#

    private static func output(of command: ChildProcess.Command) async -> [UInt8] {
        let loop = EventLoop(name: "check")
        defer { loop.stop() }
        let output = Mutex<[UInt8]>([])
        await Task(executorPreference: loop) {
            await withCheckedContinuation { continuation in
                let process = ChildProcess.start(command, on: loop) { stream, bytes in
                    if stream == .output { output.withLock { $0 += bytes } }
                } onEnd: { _ in
                    continuation.resume()
                }
                if process == nil { continuation.resume() }
            }
        }.value
        return output.withLock(\.self)
    }
}

extension Optional<String> {
    fileprivate var orEmpty: String { self ?? "" }
}
