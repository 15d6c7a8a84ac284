import ArgumentParser
import Envelopes
import Gateways
import HTTPClient

/// `troupe tools`
struct ToolsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tools",
        abstract: "What can be called, and with which arguments.",
        discussion: """
              troupe tools
              troupe tools caption
              troupe tools caption --output json | jq .inputSchema
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Argument(help: "One of them, with its arguments.", completion: .toolNames) var name: String?

    func run() async throws {
        let catalogue = try await ToolCatalogueClient(gateway.client())
        if let name {
            let tool = try catalogue.tool(name)
            return options.isJSON ? Output.line(tool.json.description) : show(tool)
        }
        if options.isJSON { return Output.line(catalogue.answer.description) }
        if catalogue.tools.isEmpty { return Output.line("no tools: the gateway's TROUPE_CONFIG_PATH names none") }
        var table = Table("TOOL", "ARGUMENTS", "DESCRIPTION")
        for tool in catalogue.tools {
            let names = tool.arguments.map { tool.required.contains($0.name) ? $0.name : "[\($0.name)]" }
            table.append(tool.name, names.joined(separator: " "), tool.description)
        }
        for line in table.lines(width: Terminal.output().columns) { Output.line(line) }
    }

    private func show(_ tool: ToolSchema) {
        Output.line(tool.name.printable)
        let columns = Terminal.output().columns
        for line in tool.description.split(separator: "\n") {
            for part in String(line).printable.wrapped(toColumns: columns - 2) { Output.line("  " + part) }
        }
        guard !tool.arguments.isEmpty else { return }
        var table = Table("ARGUMENT", "TYPE", "DEFAULT", "DESCRIPTION")
        for (name, schema) in tool.arguments {
            let fallback = tool.required.contains(name) ? "(required)" : schema.json["default"]?.description ?? "-"
            table.append(name, schema.words, fallback, schema.json["description"]?.string ?? "")
        }
        Output.line("")
        for line in table.lines(width: columns) { Output.line(line) }
    }
}

/// The tools of a gateway.
struct ToolCatalogueClient: Sendable {
    let answer: RawJSON
    let tools: [ToolSchema]

    init(_ client: GatewayClient) async throws(GatewayError) {
        answer = try await client.send(.get, "/tools")
        tools = answer["tools"]?.elements.map(ToolSchema.init) ?? []
    }

    /// - Throws: `CommandFailure` with the name that may have been meant.
    func tool(_ name: String) throws -> ToolSchema {
        if let tool = tools.first(where: { $0.name == name }) { return tool }
        let hint = Suggestion.question(for: name, among: tools.map(\.name))
        throw CommandFailure(
            "there is no tool '\(name)'\(hint.isEmpty ? "; troupe tools lists those that there are" : hint)", .notFound)
    }
}
