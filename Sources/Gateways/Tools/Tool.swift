internal import Envelopes

/// A named entry into a route, with arguments that are checked.
struct Tool: Sendable, Hashable {
    var name: String
    /// For people.
    var title: String?
    var description: String
    var parameters: [ToolParameter.Named]
    /// Instead of `parameters`.
    var inputSchema: JSONSchema?
    /// What results look like.
    var outputSchema: JSONSchema?
    var route: [String]
    /// Whether callers are told of the event stream.
    var reportsProgress: Bool
    var timeoutSeconds: Double?
    var metadata: RawJSON?

    /// The payload: the arguments as they came, with defaults for what is missing. Arguments that aren't declared pass through.
    /// - Parameter arguments: an object.
    /// - Throws: the reason, in words for the caller.
    func payload(for arguments: RawJSON) throws(ArgumentProblem) -> RawJSON {
        if let inputSchema {
            let problems = inputSchema.problems(with: arguments)
            guard problems.isEmpty else {
                throw ArgumentProblem(
                    problems.map { "arguments\($0.pointer.isEmpty ? ": " : "")\($0)" }.joined(separator: "\n"),
                    at: problems.map { ArgumentProblem.Place(pointer: $0.pointer, message: $0.message) })
            }
            return arguments
        }
        let members = arguments.members
        var missing: [ToolParameter.Named] = []
        for named in parameters {
            if let member = members.last(where: { $0.isNamed(named.name) }) {
                // An explicit null is as good as no argument where none is needed.
                if member.value.kind == .null && !named.parameter.isRequired { continue }
                let place = ToolParameter.Place(named.name)
                if let problem = named.parameter.problem(with: member.value, at: place) { throw problem }
            } else if named.parameter.fallback != nil {
                missing.append(named)
            } else if named.parameter.isRequired {
                throw ToolParameter.Place(named.name).missing
            }
        }
        guard !missing.isEmpty else { return arguments }
        return RawJSON { writer in
            writer.beginObject()
            for member in members { writer.append(member) }
            for named in missing {
                writer.name(named.name)
                writer.append(named.parameter.fallback ?? .null)
            }
            writer.endObject()
        }
    }

    /// As MCP's `tools/list` describes a tool.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("name", name)
        writer.member("title", title)
        writer.member("description", description)
        writer.name("inputSchema")
        if let inputSchema {
            writer.append(inputSchema.json)
        } else {
            writer.beginObject()
            writer.member("type", "object")
            ToolParameter.writeProperties(parameters, to: &writer)
            writer.endObject()
        }
    }
}

/// What is wrong with a call's arguments.
struct ArgumentProblem: Error, Hashable, Sendable {
    /// One line for each mistake.
    let message: String
    /// The same, one by one.
    let places: [Place]

    struct Place: Hashable, Sendable {
        /// JSON Pointer (RFC 6901) into the arguments.
        var pointer: String
        var message: String
    }

    init(_ message: String, at places: [Place]) {
        self.message = message
        self.places = places
    }
}
