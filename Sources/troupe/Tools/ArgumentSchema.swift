import Envelopes

/// What a tool's schema says of one argument, as far as a command line can follow it.
struct ArgumentSchema: Sendable {
    let json: RawJSON

    enum Kind: String, Sendable { case string, integer, number, boolean, array, object, null }

    /// Empty where it may be anything.
    var kinds: [Kind] {
        let type = json["type"]
        let names = type?.string.map { [$0] } ?? type?.elements.compactMap(\.string) ?? []
        return names.compactMap(Kind.init)
    }

    /// The values that are allowed; empty for all.
    var choices: [RawJSON] { json["enum"]?.elements ?? json["const"].map { [$0] } ?? [] }

    var items: ArgumentSchema { ArgumentSchema(json: json["items"] ?? .emptyObject) }

    /// For people: `integer`, `one of: a, b`, `array of string`.
    var words: String {
        if !choices.isEmpty { return "one of: " + choices.map { $0.string ?? $0.description }.joined(separator: ", ") }
        if kinds == [.array], !items.kinds.isEmpty || !items.choices.isEmpty { return "array of \(items.words)" }
        return kinds.isEmpty ? "any" : kinds.map(\.rawValue).joined(separator: " or ")
    }
}

/// A tool as the gateway describes it.
struct ToolSchema: Sendable {
    let json: RawJSON

    var name: String { json["name"]?.string ?? "" }
    var description: String { json["description"]?.string ?? json["title"]?.string ?? "" }
    var inputSchema: RawJSON { json["inputSchema"] ?? .emptyObject }
    var required: Set<String> { Set(inputSchema["required"]?.elements.compactMap(\.string) ?? []) }

    /// In the order of the schema.
    var arguments: [(name: String, schema: ArgumentSchema)] {
        (inputSchema["properties"]?.members ?? []).compactMap { member in
            member.name.map { ($0, ArgumentSchema(json: member.value)) }
        }
    }

    /// Whether the schema says in words that others may be given.
    var takesOthers: Bool {
        guard let others = inputSchema["additionalProperties"] else { return arguments.isEmpty }
        return others.boolean != false
    }
}
