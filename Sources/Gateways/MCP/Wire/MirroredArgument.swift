internal import Envelopes
internal import HTTPTypes

/// An argument that a tool wants repeated in a header.
struct MirroredArgument: Sendable, Hashable {
    /// Names of members, the outermost first.
    var path: [String]
    /// Behind `Mcp-Param-`.
    var header: String

    /// Those that a schema asks for with `x-mcp-header`, along its `properties`.
    static func all(in schema: RawJSON, at path: [String] = []) -> [MirroredArgument] {
        (schema["properties"]?.members ?? []).flatMap { member in
            let path = path + [member.name ?? ""]
            let own = member.value["x-mcp-header"]?.string.map { MirroredArgument(path: path, header: $0) }
            return (own.map { [$0] } ?? []) + all(in: member.value, at: path)
        }
    }

    /// What is wrong with a schema's wishes, `nil` when nothing is: clients don't use a tool whose wishes can't be met.
    static func problem(in schema: RawJSON) -> String? {
        var seen: Set<String> = []
        for argument in all(in: schema) {
            let name = argument.path.joined(separator: ".")
            var json: RawJSON? = schema
            for step in argument.path { json = json?["properties"]?[step] }
            guard HTTPField.Name(argument.header) != nil else {
                return "x-mcp-header of '\(name)' can't be in a header's name"
            }
            guard ["string", "integer", "boolean"].contains(json?["type"]?.string) else {
                return "x-mcp-header is for strings, integers and booleans, which '\(name)' is not"
            }
            guard seen.insert(argument.header.lowercased()).inserted else {
                return "x-mcp-header '\(argument.header)' is there twice"
            }
        }
        return nil
    }

    /// The argument as its header has it; `nil` where it isn't given.
    func text(in arguments: RawJSON) -> String? {
        var value: RawJSON? = arguments
        for name in path { value = value?[name] }
        guard let value, value.kind != .null else { return nil }
        return value.string ?? value.description
    }
}
