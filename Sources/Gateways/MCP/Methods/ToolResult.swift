internal import Envelopes

/// MCP's CallToolResult.
struct ToolResult: Sendable, Hashable {
    /// MCP's content blocks.
    var blocks: [RawJSON]
    var structured: RawJSON?
    var isError = false
    var envelopeID: String?

    /// A result of the gateway itself.
    init(_ json: RawJSON) {
        blocks = [Self.block(json.description)]
        structured = json
    }

    /// What went wrong, in words that help the caller to do better.
    init(error: String, envelopeID: String? = nil) {
        blocks = [Self.block(error)]
        isError = true
        self.envelopeID = envelopeID
    }

    /// What an envelope's end means for its caller.
    /// - Parameters:
    ///   - result: as stored.
    ///   - tool: by which it came, if that is known.
    init(
        envelopeID: String, status: EnvelopeStatus, result: [UInt8]?, error: String?, message: String, tool: Tool?
    ) {
        guard status == .succeeded else {
            self.init(error: error ?? message, envelopeID: envelopeID)
            return
        }
        do throws(Misfit) {
            self.init(try Self.content(of: result.map { RawJSON(stored: $0) } ?? .null, tool), envelopeID)
        } catch { self.init(error: error.reason, envelopeID: envelopeID) }
    }

    private init(_ content: ToolContent, _ envelopeID: String) {
        blocks = content.blocks
        structured = content.structured
        isError = content.isError
        self.envelopeID = envelopeID
    }

    /// A result that is not what its tool says.
    private struct Misfit: Error { var reason: String }

    private static func content(of result: RawJSON, _ tool: Tool?) throws(Misfit) -> ToolContent {
        let content: ToolContent
        switch tool?.resultForm ?? .json {
        case .json: content = ToolContent(blocks: [block(result.string ?? result.description)], structured: result)
        case .content:
            do throws(ToolContent.Problem) {
                content = try ToolContent(result)
            } catch { throw Misfit(reason: "the result is no MCP content: \(error)") }
        }
        // An error has no shape to keep to.
        guard let schema = tool?.outputSchema, !content.isError else { return content }
        guard let structured = content.structured else {
            throw Misfit(reason: "the tool has an outputSchema, and its result no structuredContent")
        }
        let problems = schema.problems(with: structured).map(\.description)
        guard problems.isEmpty else {
            throw Misfit(
                reason: "the result does not fit the tool's outputSchema: \(problems.joined(separator: "; "))")
        }
        return content
    }

    /// Points at the envelope, for those who want to look later.
    static func unfinished(_ envelopeID: String) -> ToolResult {
        var result = ToolResult(
            error: """
                Not done yet, and not lost: envelope \(envelopeID) goes on. Its result will be in the resource \
                \(EnvelopeResource.uri(envelopeID)), and the tool troupe_status tells how far it is.
                """, envelopeID: envelopeID)
        result.blocks.append(
            RawJSON { writer in
                writer.beginObject()
                writer.member("type", "resource_link")
                writer.member("uri", EnvelopeResource.uri(envelopeID))
                writer.member("name", envelopeID)
                writer.endObject()
            })
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
            writer.append(RawJSON(array: blocks.map { Self.block($0, version) }))
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

    private static func block(_ text: String) -> RawJSON { RawJSON { $0.append(textBlock: text) } }

    /// 2025-03-26 has no links.
    private static func block(_ block: RawJSON, _ version: ProtocolVersion) -> RawJSON {
        guard version < .june2025, block["type"]?.string == "resource_link" else { return block }
        return self.block(block["uri"]?.string ?? "")
    }
}
