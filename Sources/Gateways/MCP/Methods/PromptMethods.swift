internal import Envelopes

/// Prompts: those of the tool files, and one of the gateway's own.
extension MCPServer {
    private static let pageSize = 50

    /// What a person asks most often of an envelope, with everything that is known of it.
    static let diagnosis = Prompt(
        name: "troupe_diagnose", title: "What happened to an envelope",
        description: "Explains an envelope's state, and what to do about it",
        arguments: [.init(name: "id", description: "The envelope's id", isRequired: true)],
        messages: [
            .init(
                content: .text(
                    Template(
                        """
                        Here are envelope {id} of a Troupe pipeline and its history. Say in a few sentences where it stands and how \
                        it came there: which actors it has passed, how long each took, what was retried. If it has failed or hangs, \
                        name the likely cause and what to do next.
                        """))),
            .init(content: .resource(Template(EnvelopeResource.prefix + "{id}"))),
            .init(content: .resource(Template(EnvelopeResource.prefix + "{id}/history"))),
        ])

    private func prompt(_ name: String) -> Prompt? {
        gateway.tools.prompt(name) ?? (name == Self.diagnosis.name ? Self.diagnosis : nil)
    }

    func listPrompts(_ params: RawJSON) throws(JSONRPCError) -> MCPResult {
        let own = gateway.tools.prompt(Self.diagnosis.name) == nil ? [Self.diagnosis] : []
        let (page, next) = try Cursor.page(
            of: gateway.tools.prompts + own, params, size: Self.pageSize, key: \.name)
        return MCPResult(cache: .init(milliseconds: settings.toolsAge.milliseconds, isPublic: true)) { writer in
            writer.name("prompts")
            writer.beginArray()
            for prompt in page { prompt.write(to: &writer) }
            writer.endArray()
            writer.member("nextCursor", next)
        }
    }

    func getPrompt(_ params: RawJSON) async throws -> MCPResult {
        guard let name = params["name"]?.string else { throw JSONRPCError(.invalidParams, "'name' must be a string") }
        guard let prompt = prompt(name) else {
            throw JSONRPCError(.invalidParams, "there is no prompt '\(name.prefix(128))'")
        }
        let values = try prompt.values(for: params["arguments"])
        var messages: [RawJSON] = []
        for message in prompt.messages { messages.append(try await json(of: message, values)) }
        return MCPResult { [messages] writer in
            writer.member("description", prompt.description)
            writer.name("messages")
            writer.append(RawJSON(array: messages))
        }
    }

    private func json(of message: Prompt.Message, _ values: [String: String]) async throws -> RawJSON {
        let content: RawJSON
        switch message.content {
        case .text(let template): content = RawJSON { $0.append(textBlock: template.text(values)) }
        case .media(let media):
            content = RawJSON { writer in
                writer.beginObject()
                writer.member("type", media.kind.rawValue)
                writer.member("data", media.data)
                writer.member("mimeType", media.mimeType)
                writer.endObject()
            }
        case .resource(let template):
            let uri = template.text(values)
            guard let contents = try await contents(of: uri) else {
                throw JSONRPCError(.invalidParams, "there is no resource '\(uri.prefix(300))'")
            }
            content = contents.block
        case .embedded(let uri, let mimeType, let body):
            content = ResourceContents(uri: uri.text(values), mimeType, body, values).block
        }
        return RawJSON { writer in
            writer.beginObject()
            writer.member("role", message.role.rawValue)
            writer.name("content")
            writer.append(content)
            writer.endObject()
        }
    }

    // MARK: Completion

    private static let completionLimit = 100

    /// `completion/complete`: ids of envelopes, the latest first, and what a prompt's argument may be.
    func complete(_ params: RawJSON) async throws -> MCPResult {
        guard let name = params["argument"]?["name"]?.string, let value = params["argument"]?["value"]?.string else {
            throw JSONRPCError(.invalidParams, "'argument' must have 'name' and 'value', both strings")
        }
        let values = try await completions(of: name, value, params["ref"] ?? .null)
        return MCPResult { writer in
            writer.name("completion")
            writer.beginObject()
            writer.name("values")
            writer.append(strings: values.prefix(Self.completionLimit))
            writer.name("hasMore")
            writer.append(values.count > Self.completionLimit)
            writer.endObject()
        }
    }

    private func completions(of name: String, _ value: String, _ reference: RawJSON) async throws -> [String] {
        let names: [String]
        let isOfEnvelopes: Bool
        switch reference["type"]?.string {
        case "ref/prompt":
            guard let prompt = reference["name"]?.string.flatMap(prompt) else { throw Self.unknownReference }
            if let options = prompt.arguments.first(where: { $0.name == name })?.options, !options.isEmpty {
                return options.filter { $0.hasPrefix(value) }
            }
            names = prompt.arguments.map(\.name)
            isOfEnvelopes = prompt == Self.diagnosis
        case "ref/resource":
            guard let uri = reference["uri"]?.string else { throw Self.unknownReference }
            isOfEnvelopes = EnvelopeResource.templates.contains { $0.uri.source == uri }
            let template = gateway.tools.resources.first { $0.isTemplate && $0.uri.source == uri }
            guard isOfEnvelopes || template != nil else { throw Self.unknownReference }
            names = template?.uri.names ?? ["id"]
        default: throw Self.unknownReference
        }
        guard names.contains(name) else {
            throw JSONRPCError(.invalidParams, "'argument.name' must be one of: \(names.joined(separator: ", "))")
        }
        guard isOfEnvelopes else { return [] }
        return try await gateway.store.recentIDs(beginning: value, limit: Self.completionLimit + 1)
    }

    private static let unknownReference = JSONRPCError(
        .invalidParams, "'ref' names no prompt and no resource template of this server")
}

extension Prompt {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.member("title", title)
        writer.member("description", description)
        if !arguments.isEmpty {
            writer.name("arguments")
            writer.beginArray()
            for argument in arguments {
                writer.beginObject()
                writer.member("name", argument.name)
                writer.member("title", argument.title)
                writer.member("description", argument.description)
                writer.name("required")
                writer.append(argument.isRequired)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
    }

    /// - Throws: for arguments that are missing, not known, or not allowed.
    fileprivate func values(for json: RawJSON?) throws(JSONRPCError) -> [String: String] {
        let json = json?.nonNull ?? .emptyObject
        guard json.kind == .object else {
            throw JSONRPCError(.invalidParams, "'arguments' must be an object, is \(json.kind)")
        }
        var values: [String: String] = [:]
        for member in json.members {
            let name = member.name ?? ""
            guard let argument = arguments.first(where: { $0.name == name }) else {
                let known = arguments.isEmpty ? "none" : arguments.map(\.name).joined(separator: ", ")
                throw JSONRPCError(
                    .invalidParams, "the prompt has no argument '\(name.prefix(100))'; its arguments are: \(known)")
            }
            guard let value = member.value.string else {
                throw JSONRPCError(.invalidParams, "the argument '\(name)' must be a string")
            }
            guard argument.options.isEmpty || argument.options.contains(value) else {
                let options = argument.options.joined(separator: ", ")
                throw JSONRPCError(.invalidParams, "the argument '\(name)' must be one of: \(options)")
            }
            values[name] = value
        }
        for argument in arguments where argument.isRequired && values[argument.name] == nil {
            throw JSONRPCError(.invalidParams, "the argument '\(argument.name)' is missing")
        }
        return values
    }
}

extension ResourceContents {
    /// As part of a message.
    fileprivate var block: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.member("type", "resource")
            writer.name("resource")
            write(to: &writer)
            writer.endObject()
        }
    }
}
