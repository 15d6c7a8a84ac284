internal import Yams

/// Prompts:
///
///     name, title, description
///     arguments: [{name, title, description, required, options: [string, ...]}]
///     messages: [{role: user or assistant, and one of:
///                 text: string
///                 image or audio: {mimeType, and file or data}
///                 resource: uri, or {uri, mimeType, and text or file or data}}]
///
/// Texts and URIs have `{argument}` where an argument's value comes.
extension ToolFileReader {
    mutating func readPrompt(_ node: Node) {
        guard let mapping = node.mapping else { return report(node, "a prompt must be a mapping") }
        guard let name = string(mapping["name"], "a prompt's name") else {
            if mapping["name"] == nil { report(node, "a prompt without 'name'") }
            return
        }
        guard checkName(name, mapping["name"], "prompt") else { return }
        let owner = "prompt '\(name)'"
        checkKeys(mapping, of: owner, known: ["name", "title", "description", "arguments", "messages"])
        let arguments = list(mapping["arguments"], "arguments of \(owner)").compactMap { readArgument($0, owner) }
        for (index, argument) in arguments.enumerated()
        where arguments[..<index].contains(where: { $0.name == argument.name }) {
            report(mapping["arguments"], "\(owner) has the argument '\(argument.name)' twice")
        }
        let messages = list(mapping["messages"], "messages of \(owner)")
        if messages.isEmpty { report(mapping["messages"] ?? node, "\(owner) has no 'messages'") }
        let names = Set(arguments.map(\.name))
        prompts.append(
            Prompt(
                name: name, title: string(mapping["title"], "title of \(owner)"),
                description: string(mapping["description"], "description of \(owner)") ?? "", arguments: arguments,
                messages: messages.compactMap { readMessage($0, owner, names) }))
    }

    private mutating func readArgument(_ node: Node, _ owner: String) -> Prompt.Argument? {
        guard let mapping = node.mapping, let name = mapping["name"]?.scalar?.string, Template.isName(name) else {
            report(node, "an argument of \(owner) must be a mapping with a 'name' of A-Z a-z 0-9 _ -")
            return nil
        }
        let label = "argument '\(name)' of \(owner)"
        checkKeys(mapping, of: label, known: ["name", "title", "description", "required", "options"])
        return Prompt.Argument(
            name: name, title: string(mapping["title"], "title of \(label)"),
            description: string(mapping["description"], "description of \(label)"),
            isRequired: boolean(mapping["required"], "required of \(label)") ?? false,
            options: list(mapping["options"], "options of \(label)").compactMap { string($0, "an option of \(label)") })
    }

    private mutating func readMessage(_ node: Node, _ owner: String, _ names: Set<String>) -> Prompt.Message? {
        let label = "a message of \(owner)"
        let kinds = ["text", "image", "audio", "resource"]
        guard let mapping = node.mapping, kinds.count(where: { mapping[$0] != nil }) == 1 else {
            report(node, "\(label) must be a mapping with one of: \(kinds.joined(separator: ", "))")
            return nil
        }
        checkKeys(mapping, of: label, known: ["role"] + kinds)
        let role: Prompt.Role = choice(mapping["role"], "role of \(label)") ?? .user
        let content: Prompt.Content?
        if let node = mapping["text"] {
            content = string(node, "text of \(label)").map { .text(template($0, node, label, names)) }
        } else if let node = mapping["resource"] {
            content = readEmbedded(node, "the resource of \(label)", names)
        } else if let node = mapping["image"] {
            content = readMedia(node, .image, label)
        } else {
            content = mapping["audio"].flatMap { readMedia($0, .audio, label) }
        }
        return content.map { Prompt.Message(role: role, content: $0) }
    }

    private mutating func readEmbedded(_ node: Node, _ label: String, _ names: Set<String>) -> Prompt.Content? {
        guard let mapping = node.mapping else {
            return string(node, label).map { .resource(template($0, node, label, names)) }
        }
        checkKeys(mapping, of: label, known: ["uri", "mimeType", "text", "file", "data"])
        guard let text = string(mapping["uri"], "uri of \(label)"),
            let body = readBody(mapping, at: node, label, names)
        else {
            if mapping["uri"] == nil { report(node, "\(label) has no 'uri'") }
            return nil
        }
        let uri = template(text, mapping["uri"], label, names)
        return .embedded(uri: uri, mimeType: mimeType(mapping["mimeType"], of: body, label), body)
    }

    private mutating func readMedia(_ node: Node, _ kind: Prompt.Media.Kind, _ label: String) -> Prompt.Content? {
        let label = "the \(kind.rawValue) of \(label)"
        guard let mapping = node.mapping else {
            report(node, "\(label) must be a mapping with 'mimeType', and 'file' or 'data'")
            return nil
        }
        checkKeys(mapping, of: label, known: ["mimeType", "file", "data"])
        guard let mimeType = string(mapping["mimeType"], "mimeType of \(label)"),
            mimeType.hasPrefix(kind.rawValue + "/")
        else {
            report(mapping["mimeType"] ?? node, "mimeType of \(label) must begin with \(kind.rawValue)/")
            return nil
        }
        return readData(mapping, at: node, label).map { .media(.init(kind: kind, data: $0, mimeType: mimeType)) }
    }

    private mutating func template(
        _ text: String, _ node: Node?, _ label: String, _ names: Set<String>
    ) -> Template {
        let template = Template(text)
        checkNames(of: template, node, label, names)
        return template
    }
}
