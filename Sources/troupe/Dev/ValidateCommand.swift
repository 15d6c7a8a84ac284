import ArgumentParser
import Dev
import Envelopes
import Gateways
import Projects
import Settings

/// `troupe validate`
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Says what is wrong with a troupe.yaml, and with the handlers that it names.",
        discussion: """
            Every mistake at once: file:line:column: what it is. Ends with code 78
            where there is one.

              troupe validate
              troupe validate other/troupe.yaml --output json
            """)

    @Argument(help: "The project: its folder, or its file.", completion: .file(extensions: ["yaml", "yml"]))
    var project = "."

    @OptionGroup var options: OutputOptions

    func run() async throws {
        do throws(FileErrors) {
            let project = try Project.read(project)
            try await HandlerCheck.check(project, .ofProcess())
            Output.line(options.isJSON ? project.summary.description : "ok: \(project.contents)")
        } catch {
            if options.isJSON {
                Output.line(error.json.description)
            } else {
                for problem in error.problems { Output.note(problem.description.printable) }
            }
            throw CommandExit.wrongSettings.code
        }
    }
}

extension Project {
    fileprivate var contents: String {
        [("actor", actors.count), ("tool", tools.names.count), ("route", routes.count)]
            .map { "\($0.1) \($0.0)\($0.1 == 1 ? "" : "s")" }.joined(separator: ", ")
    }

    /// `{"valid": true, "actors", "tools", "routes"}`: names, and of each route its actors.
    fileprivate var summary: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("valid")
            writer.append(true)
            for (name, names) in [("actors", actors.map(\.name)), ("tools", tools.names)] {
                writer.name(name)
                writer.append(strings: names)
            }
            writer.name("routes")
            writer.beginObject()
            for (name, actors) in routes.sorted(by: { $0.key < $1.key }) {
                writer.name(name)
                writer.append(strings: actors)
            }
            writer.endObject()
            writer.endObject()
        }
    }
}

extension FileErrors {
    /// `{"valid": false, "problems": [{"file", "line", "column", "message"}]}`
    fileprivate var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("valid")
            writer.append(false)
            writer.name("problems")
            writer.beginArray()
            for problem in problems {
                writer.beginObject()
                writer.name("file")
                writer.append(string: problem.file)
                for (name, number) in [("line", problem.line), ("column", problem.column)] {
                    guard let number else { continue }
                    writer.name(name)
                    writer.append(number)
                }
                writer.name("message")
                writer.append(string: problem.message)
                writer.endObject()
            }
            writer.endArray()
            writer.endObject()
        }
    }
}
