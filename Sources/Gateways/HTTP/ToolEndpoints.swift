internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

extension GatewayRouter {
    var toolEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get, path: "/tools", name: "listTools", access: .known,
                summary: "The tools, as MCP lists them",
                answers: [
                    .init(
                        status: .ok, text: "All of them",
                        schema:
                            ##"{"type":"object","required":["tools"],"properties":{"tools":{"type":"array","items":{"$ref":"#/components/schemas/Tool"}}}}"##
                    )
                ], handler: listTools),
            Endpoint(
                method: .post, path: "/tools/call", name: "callTool", access: .scope(.submit),
                summary: "Submit an envelope by a tool's name",
                details:
                    "A missing or wrong argument is no error of the request: `isError` is true then, and the text has the reason.",
                body: .init(
                    schema: .named("ToolCall"),
                    example: #"{"name":"caption","arguments":{"url":"https://example.com/cat.png"}}"#),
                answers: [.init(status: .ok, text: "The envelope's id, as text", schema: .named("ToolResult"))],
                errors: [.invalidJSON, .invalidRequest, .unknownTool, .invalidDeadline], handler: callTool),
        ]
    }

    /// `GET /tools`, in the form of MCP's `tools/list`.
    func listTools(_ request: Request, _ context: Context) async throws -> Response {
        Response { writer in
            writer.beginObject()
            writer.name("tools")
            writer.beginArray()
            for tool in tools.tools { tool.write(to: &writer) }
            writer.endArray()
            writer.endObject()
        }
    }

    /// `POST /tools/call`: answers with MCP's CallToolResult, also when an argument is missing or wrong.
    func callTool(_ request: Request, _ context: Context) async throws -> Response {
        let members = try await reading.members(of: request)
        guard let name = try members.string("name"), !name.isEmpty else {
            throw Problem(.invalidRequest, "'name' is missing", at: "/name")
        }
        guard let tool = tools[name] else { throw Problem(.unknownTool, "there is no tool '\(name)'", at: "/name") }
        let arguments = members["arguments"].flatMap { $0.kind == .null ? nil : $0 } ?? .emptyObject
        guard arguments.kind == .object else {
            throw Problem(.invalidRequest, "'arguments' must be an object, is \(arguments.kind)", at: "/arguments")
        }
        let payload: RawJSON
        do throws(ArgumentProblem) {
            payload = try tool.payload(for: arguments)
        } catch {
            return toolResult(error.message, isError: true)
        }
        let schedule = try Schedule(members, timeoutSeconds: tool.timeoutSeconds)
        let id = try await submit(
            SubmissionRequest(route: tool.route, payload: payload, schedule: schedule), from: request
        ).id

        var writer = JSONWriter()
        writer.beginObject()
        writer.member("envelope_id", id)
        writer.member("message", "Envelope created successfully")
        writer.member("status_url", "/envelopes/\(id)")
        writer.member("stream_url", tool.reportsProgress ? "/envelopes/\(id)/stream" : nil)
        if let metadata = tool.metadata {
            writer.name("metadata")
            writer.append(metadata)
        }
        writer.endObject()
        return toolResult(String(decoding: writer.bytes, as: UTF8.self), isError: false)
    }

    private func toolResult(_ text: String, isError: Bool) -> Response {
        Response { writer in
            writer.beginObject()
            writer.name("content")
            writer.beginArray()
            writer.append(textBlock: text)
            writer.endArray()
            writer.name("isError")
            writer.append(isError)
            writer.endObject()
        }
    }
}
