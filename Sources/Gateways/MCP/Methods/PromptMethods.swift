internal import Envelopes

/// One prompt: what a person asks most often of an envelope, with everything that is known of it.
extension MCPServer {
    private static let prompt = "troupe_diagnose"

    func listPrompts(_ params: RawJSON) throws(JSONRPCError) -> MCPResult {
        if try Cursor.parts(params, count: 1) != nil { throw Cursor.unknown }
        return MCPResult(cache: .init(milliseconds: 3_600_000, isPublic: true)) { writer in
            writer.name("prompts")
            writer.beginArray()
            writer.beginObject()
            writer.member("name", Self.prompt)
            writer.member("title", "What happened to an envelope")
            writer.member("description", "Explains an envelope's state, and what to do about it")
            writer.name("arguments")
            writer.beginArray()
            writer.beginObject()
            writer.member("name", "id")
            writer.member("description", "The envelope's id")
            writer.name("required")
            writer.append(true)
            writer.endObject()
            writer.endArray()
            writer.endObject()
            writer.endArray()
        }
    }

    func getPrompt(_ params: RawJSON) async throws -> MCPResult {
        guard params["name"]?.string == Self.prompt else {
            throw JSONRPCError(.invalidParams, "there is no such prompt")
        }
        guard let id = params["arguments"]?["id"]?.string else {
            throw JSONRPCError(.invalidParams, "the argument 'id' must be an envelope's id")
        }
        var contents: [(EnvelopeResource, RawJSON)] = []
        for uri in [EnvelopeResource.uri(id), EnvelopeResource.uri(id) + "/history"] {
            guard let resource = EnvelopeResource(uri), let json = try await self.contents(of: resource) else {
                throw JSONRPCError(.invalidParams, "there is no envelope of this id")
            }
            contents.append((resource, json))
        }
        return MCPResult { [contents] writer in
            writer.member("description", "What happened to envelope \(id)")
            writer.name("messages")
            writer.beginArray()
            Self.writeMessage(to: &writer) { writer in
                writer.member("type", "text")
                writer.member(
                    "text",
                    """
                    Here are envelope \(id) of a Troupe pipeline and its history. Say in a few sentences where it stands and \
                    how it came there: which actors it has passed, how long each took, what was retried. If it has failed or \
                    hangs, name the likely cause and what to do next.
                    """)
            }
            for (resource, json) in contents {
                Self.writeMessage(to: &writer) { writer in
                    writer.member("type", "resource")
                    writer.name("resource")
                    Self.writeContents(of: resource, json, to: &writer)
                }
            }
            writer.endArray()
        }
    }

    private static func writeMessage(to writer: inout JSONWriter, _ content: (inout JSONWriter) -> Void) {
        writer.beginObject()
        writer.member("role", "user")
        writer.name("content")
        writer.beginObject()
        content(&writer)
        writer.endObject()
        writer.endObject()
    }

    /// `completion/complete`: ids of envelopes, the latest first.
    func complete(_ params: RawJSON) async throws -> MCPResult {
        let limit = 100
        let reference = params["ref"]
        let isKnown =
            switch reference?["type"]?.string {
            case "ref/prompt": reference?["name"]?.string == Self.prompt
            case "ref/resource": reference?["uri"]?.string?.hasPrefix(EnvelopeResource.prefix) == true
            default: false
            }
        guard isKnown else {
            throw JSONRPCError(.invalidParams, "'ref' names no prompt and no resource of this server")
        }
        guard let name = params["argument"]?["name"]?.string, let value = params["argument"]?["value"]?.string else {
            throw JSONRPCError(.invalidParams, "'argument' must have 'name' and 'value', both strings")
        }
        let ids = name == "id" ? try await gateway.store.recentIDs(beginning: value, limit: limit + 1) : []
        return MCPResult { writer in
            writer.name("completion")
            writer.beginObject()
            writer.name("values")
            writer.append(strings: ids.prefix(limit))
            writer.name("hasMore")
            writer.append(ids.count > limit)
            writer.endObject()
        }
    }
}
