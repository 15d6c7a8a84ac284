internal import FoundationEssentials
internal import Yams

/// Resources:
///
///     uri, name, title, description, mimeType
///     one of: text: string, file: path from the tool file's folder, data: base64
///
/// A URI with `{name}` in it is a template: `{name}` in its text is what stands in the URI that is read.
extension ToolFileReader {
    mutating func readResource(_ node: Node) {
        guard let mapping = node.mapping else { return report(node, "a resource must be a mapping") }
        guard let uri = string(mapping["uri"], "a resource's uri") else {
            if mapping["uri"] == nil { report(node, "a resource without 'uri'") }
            return
        }
        let owner = "resource '\(uri)'"
        checkKeys(
            mapping, of: owner,
            known: ["uri", "name", "title", "description", "mimeType", "text", "file", "data"])
        let template = Template(uri)
        if let problem = Self.problem(withURI: uri, template) { report(mapping["uri"], "\(owner): \(problem)") }
        checkIsNew(owner, mapping["uri"])
        let body = readBody(mapping, at: node, owner, template.names.isEmpty ? nil : Set(template.names))
        guard let body else { return }
        resources.append(
            Resource(
                uri: template, name: string(mapping["name"], "name of \(owner)") ?? uri,
                title: string(mapping["title"], "title of \(owner)"),
                description: string(mapping["description"], "description of \(owner)"),
                mimeType: mimeType(mapping["mimeType"], of: body, owner), body: body))
    }

    private static func problem(withURI uri: String, _ template: Template) -> String? {
        let scheme = uri.prefix { $0 != ":" }
        guard scheme.count < uri.count, scheme.first?.isLetter == true,
            scheme.utf8.allSatisfy({ Template.isName(String(UnicodeScalar($0))) || $0 == UInt8(ascii: "+") }),
            uri.utf8.count <= 1000, uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return "a uri must begin with a scheme, like docs://, and have at most 1000 printable ASCII characters" }
        if scheme == "troupe" { return "troupe:// is for the gateway's own" }
        var wasValue = false
        for part in template.parts {
            switch part {
            case .text(let text):
                if text.contains(where: { $0 == "{" || $0 == "}" }) { return "a uri's braces must be around a name" }
                wasValue = false
            case .value:
                if wasValue { return "a uri must have something between two values" }
                wasValue = true
            }
        }
        return nil
    }

    // MARK: What is in it

    private static let sizeLimit = 4 << 20

    /// - Parameter names: those that a text may have in braces; `nil` where braces are text.
    mutating func readBody(
        _ mapping: Node.Mapping, at node: Node, _ label: String, _ names: Set<String>?
    ) -> ResourceBody? {
        guard ["text", "file", "data"].count(where: { mapping[$0] != nil }) == 1 else {
            report(node, "\(label) must have one of: text, file, data")
            return nil
        }
        if mapping["data"] != nil { return readData(mapping, at: node, label).map { .data($0) } }
        let text: String
        if let path = mapping["file"] {
            guard let data = contents(of: path, label) else { return nil }
            guard let found = String(validating: data, as: UTF8.self) else { return .data(data.base64EncodedString()) }
            text = found
        } else {
            guard let found = string(mapping["text"], "text of \(label)") else { return nil }
            text = found
        }
        guard let names else { return .text(Template(verbatim: text)) }
        let template = Template(text)
        checkNames(of: template, mapping["text"] ?? mapping["file"], label, names)
        return .text(template)
    }

    /// From `file` or `data`, in base64.
    mutating func readData(_ mapping: Node.Mapping, at node: Node, _ label: String) -> String? {
        if let path = mapping["file"], mapping["data"] == nil {
            return contents(of: path, label)?.base64EncodedString()
        }
        guard mapping["file"] == nil, let data = string(mapping["data"], "data of \(label)") else {
            report(node, "\(label) must have one of: file, data")
            return nil
        }
        guard let decoded = Data(base64Encoded: data, options: .ignoreUnknownCharacters) else {
            report(mapping["data"], "data of \(label) must be base64")
            return nil
        }
        return decoded.base64EncodedString()
    }

    mutating func mimeType(_ node: Node?, of body: ResourceBody, _ label: String) -> String {
        if let type = string(node, "mimeType of \(label)") { return type }
        switch body {
        case .text: return "text/plain"
        case .data: return "application/octet-stream"
        }
    }

    mutating func checkNames(of template: Template, _ node: Node?, _ label: String, _ names: Set<String>) {
        for name in template.names where !names.contains(name) {
            report(
                node, "\(label) has {\(name)}, which is none of its names; {{\(name)}} stands for the braces themselves"
            )
        }
    }

    private mutating func contents(of node: Node, _ label: String) -> Data? {
        guard let name = string(node, "file of \(label)") else { return nil }
        let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        let path = name.hasPrefix("/") ? name : folder + name
        guard let data = FileManager.default.contents(atPath: path) else {
            report(node, "file of \(label): '\(path)' cannot be read")
            return nil
        }
        guard data.count <= Self.sizeLimit else {
            report(node, "file of \(label): '\(path)' has more than \(Self.sizeLimit >> 20) MiB")
            return nil
        }
        return data
    }
}
