import ArgumentParser
import Envelopes

/// `troupe call`
struct CallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Calls a tool: its arguments become the payload of an envelope.",
        discussion: """
            The gateway's schema says what the words mean: numbers, true and false,
            lists (with commas, or the name again), objects (JSON, or @file.json). It
            writes the envelope's id, or with --wait the result.

              troupe call caption --arg url=https://example.com/cat.png --wait
              troupe call resize --arg width=640 --arg tags=a,b --arg crop=@crop.json
              troupe call caption --json arguments.json --watch --wait-limit 1m
              echo '{"url": "..."}' | troupe call caption --json -
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @Argument(help: "The tool.", completion: .toolNames) var name: String

    @Option(help: ArgumentHelp("An argument. Repeatable.", valueName: "name=value"))
    var arg: [String] = []

    @Option(
        help: ArgumentHelp("All arguments: a file with a JSON object, or - for standard input.", valueName: "file|-"),
        completion: .file(extensions: ["json"]))
    var json: String?

    @Option(help: "The envelope's own id.")
    var id: String?

    @OptionGroup var submission: SubmissionOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        try submission.check()
        try wait.check()
        if json != nil && !arg.isEmpty {
            throw ValidationError("--json has all arguments: --arg can't stand beside it")
        }
    }

    func run() async throws {
        let members = try submission.members()
        let single = SingleSubmission(
            gateway: gateway, idempotencyKey: submission.idempotencyKey, wait: wait, options: options)
        try await single.run { client in
            let tool = try await ToolCatalogueClient(client).tool(name)
            let arguments = try await arguments(of: tool)
            return RawJSON(
                object: [
                    .init(name: "tool", value: RawJSON(string: tool.name)),
                    .init(name: "arguments", value: arguments),
                ] + (id.map { [.init(name: "id", value: RawJSON(string: $0))] } ?? []) + members)
        }
    }

    /// - Throws: `CommandFailure` with all that is wrong, before anything is sent.
    private func arguments(of tool: ToolSchema) async throws -> RawJSON {
        let reader = ToolArguments(tool: tool) { try Input($0).contents() }
        do {
            guard let json else { return try reader.arguments(arg) }
            let arguments = try await PayloadInput.read(json)
            try reader.check(arguments)
            return arguments
        } catch let mistakes as ToolArguments.Mistakes {
            throw CommandFailure(
                "tool '\(tool.name)' doesn't take these arguments:\n"
                    + mistakes.messages.map { "  \($0)" }.joined(separator: "\n")
                    + "\nSee: troupe tools \(tool.name)", .usage)
        }
    }
}
