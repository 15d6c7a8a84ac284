internal import Envelopes
internal import FoundationEssentials

/// A handler's result that is MCP's own content: `{"content": [blocks], "structuredContent"?, "isError"?}`. Everything in it is checked,
/// for a client takes an answer with one bad block for no answer at all.
struct ToolContent: Sendable, Hashable {
    var blocks: [RawJSON]
    var structured: RawJSON?
    var isError = false

    init(blocks: [RawJSON], structured: RawJSON?) {
        self.blocks = blocks
        self.structured = structured
    }

    struct Problem: Error, Hashable, CustomStringConvertible {
        /// A JSON pointer into the result.
        var pointer: String
        var message: String

        var description: String { pointer.isEmpty ? message : "\(pointer): \(message)" }
    }

    init(_ result: RawJSON) throws(Problem) {
        guard result.kind == .object else { throw Problem(pointer: "", message: "must be an object with 'content'") }
        blocks = []
        for member in result.members {
            let name = member.name ?? ""
            switch name {
            case "content":
                guard member.value.kind == .array else {
                    throw Problem(pointer: "/content", message: "must be an array")
                }
                blocks = member.value.elements
            case "structuredContent": structured = member.value
            case "isError":
                guard let flag = member.value.boolean else {
                    throw Problem(pointer: "/isError", message: "must be true or false")
                }
                isError = flag
            default:
                throw Problem(
                    pointer: "", message: "'\(name.prefix(100))' is none of: content, structuredContent, isError")
            }
        }
        guard result["content"] != nil else { throw Problem(pointer: "", message: "'content' is missing") }
        for (index, block) in blocks.enumerated() { try Self.check(block, at: "/content/\(index)") }
    }

    private static func check(_ block: RawJSON, at pointer: String) throws(Problem) {
        guard block.kind == .object else { throw Problem(pointer: pointer, message: "must be an object") }
        let members = block.members
        switch members["type"]?.string {
        case "text": try checkText(members, "text", at: pointer)
        case "image", "audio":
            try checkBase64(members, "data", at: pointer)
            try checkText(members, "mimeType", at: pointer)
        case "resource": try checkResource(members["resource"], at: pointer + "/resource")
        case "resource_link":
            for name in ["uri", "name"] { try checkText(members, name, at: pointer) }
            for name in ["title", "description", "mimeType"] where members[name] != nil {
                try checkText(members, name, at: pointer)
            }
            if let size = members["size"], !size.isInteger {
                throw Problem(pointer: pointer + "/size", message: "must be an integer")
            }
        default:
            throw Problem(
                pointer: pointer + "/type", message: "must be one of: text, image, audio, resource, resource_link")
        }
        if let meta = members["_meta"], meta.kind != .object {
            throw Problem(pointer: pointer + "/_meta", message: "must be an object")
        }
        if let annotations = members["annotations"] {
            try check(annotations: annotations, at: pointer + "/annotations")
        }
    }

    private static func checkResource(_ resource: RawJSON?, at pointer: String) throws(Problem) {
        guard let resource, resource.kind == .object else {
            throw Problem(pointer: pointer, message: "must be an object")
        }
        let members = resource.members
        try checkText(members, "uri", at: pointer)
        if members["mimeType"] != nil { try checkText(members, "mimeType", at: pointer) }
        guard (members["text"] == nil) != (members["blob"] == nil) else {
            throw Problem(pointer: pointer, message: "must have either 'text' or 'blob'")
        }
        if members["text"] != nil {
            try checkText(members, "text", at: pointer)
        } else {
            try checkBase64(members, "blob", at: pointer)
        }
    }

    private static func check(annotations: RawJSON, at pointer: String) throws(Problem) {
        guard annotations.kind == .object else { throw Problem(pointer: pointer, message: "must be an object") }
        let members = annotations.members
        if let audience = members["audience"] {
            guard audience.kind == .array, audience.elements.allSatisfy({ ["user", "assistant"].contains($0.string) })
            else { throw Problem(pointer: pointer + "/audience", message: "must be a list of: user, assistant") }
        }
        if let priority = members["priority"] {
            guard let value = priority.double, (0...1).contains(value) else {
                throw Problem(pointer: pointer + "/priority", message: "must be a number from 0 to 1")
            }
        }
        if members["lastModified"] != nil { try checkText(members, "lastModified", at: pointer) }
    }

    private static func checkText(_ members: [RawJSON.Member], _ name: String, at pointer: String) throws(Problem) {
        guard members[name]?.string != nil else {
            throw Problem(pointer: "\(pointer)/\(name)", message: "must be a string")
        }
    }

    private static func checkBase64(_ members: [RawJSON.Member], _ name: String, at pointer: String) throws(Problem) {
        guard let text = members[name]?.string, Data(base64Encoded: text) != nil else {
            throw Problem(
                pointer: "\(pointer)/\(name)", message: "must be base64 (RFC 4648, with padding, without line ends)")
        }
    }
}
