internal import Envelopes

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

    /// The argument as its header has it; `nil` where it isn't given.
    func text(in arguments: RawJSON) -> String? {
        var value: RawJSON? = arguments
        for name in path { value = value?[name] }
        guard let value, value.kind != .null else { return nil }
        return value.string ?? value.description
    }
}
