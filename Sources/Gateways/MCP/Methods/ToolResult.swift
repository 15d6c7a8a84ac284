internal import Envelopes

/// MCP's CallToolResult.
struct ToolResult: Sendable, Hashable {
    var text: String
    var structured: RawJSON?
    var isError = false
    var envelopeID: String?
    /// Points at the envelope, for those who want to look later.
    var isUnfinished = false

    /// A result of the gateway itself.
    init(_ json: RawJSON) {
        text = json.description
        structured = json
    }

    /// What went wrong, in words that help the caller to do better.
    init(error: String, envelopeID: String? = nil) {
        text = error
        isError = true
        self.envelopeID = envelopeID
    }

    /// What an envelope's end means for its caller.
    /// - Parameters:
    ///   - result: as stored.
    ///   - schema: the tool's, if it has one and is known.
    init(
        envelopeID: String, status: EnvelopeStatus, result: [UInt8]?, error: String?, message: String,
        schema: JSONSchema?
    ) {
        self.envelopeID = envelopeID
        guard status == .succeeded else {
            text = error ?? message
            isError = true
            return
        }
        let result = result.map { RawJSON(stored: $0) } ?? .null
        text = result.string ?? result.description
        if let problems = schema?.problems(with: result), !problems.isEmpty {
            text =
                "the result does not fit the tool's outputSchema: "
                + problems.map(\.description).joined(separator: "; ")
            isError = true
        } else {
            structured = result
        }
    }

    static func unfinished(_ envelopeID: String) -> ToolResult {
        var result = ToolResult(
            error: """
                Not done yet, and not lost: envelope \(envelopeID) goes on. Its result will be in the resource \
                \(EnvelopeResource.uri(envelopeID)), and the tool troupe_status tells how far it is.
                """, envelopeID: envelopeID)
        result.isUnfinished = true
        return result
    }

    func result(_ version: ProtocolVersion, relatedTask: String? = nil) -> MCPResult {
        var meta: [RawJSON.Member] = []
        if let envelopeID {
            meta.append(.init(name: RequestMeta.Key.envelopeID, value: RawJSON(string: envelopeID)))
        }
        if let relatedTask {
            let task = RawJSON { writer in
                writer.beginObject()
                writer.member("taskId", relatedTask)
                writer.endObject()
            }
            meta.append(.init(name: RequestMeta.Key.relatedTask, value: task))
        }
        return MCPResult(meta: meta) { writer in
            writer.name("content")
            writer.beginArray()
            writer.append(textBlock: text)
            if isUnfinished, version >= .june2025, let envelopeID {
                writer.beginObject()
                writer.member("type", "resource_link")
                writer.member("uri", EnvelopeResource.uri(envelopeID))
                writer.member("name", envelopeID)
                writer.endObject()
            }
            writer.endArray()
            // Before 2026-07-28 only objects can be structured.
            if let structured, version >= .june2025, version.isStateless || structured.kind == .object {
                writer.name("structuredContent")
                writer.append(structured)
            }
            if isError {
                writer.name("isError")
                writer.append(true)
            }
        }
    }
}
