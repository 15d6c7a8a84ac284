import ArgumentParser
import Projects

/// `troupe init`
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Writes a small project that runs at once.",
        discussion: """
            Overwrites nothing.

              troupe init reading && cd reading && troupe dev
            """)

    @Argument(help: "A folder to make. Default: the current one.", completion: .directory)
    var name: String?

    @Flag(help: "With a handler in Swift, too.")
    var swift = false

    func run() async throws {
        let files: [String]
        do throws(ExampleError) {
            files = try ExampleProject(withSwift: swift).write(to: name ?? ".")
        } catch { throw CommandFailure(error.message, error.isUsage ? .usage : .cannotWrite) }
        let folder = name.map { $0 + "/" } ?? ""
        for file in files { Output.line("wrote \(folder)\(file)") }
        Output.line("\nnext: \(name.map { "cd \($0) && " } ?? "")troupe dev")
    }
}
