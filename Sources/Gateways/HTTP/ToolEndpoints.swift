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
                errors: [
                    .invalidJSON, .invalidRequest, .unknownTool, .invalidDeadline, .duplicateID, .keyReused,
                    .overloaded,
                ], handler: callTool),
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
        let body = try await reading.bytes(of: request)
        let submissionRequest: SubmissionRequest
        do throws(Problem) {
            submissionRequest = try SubmissionRequest(toolCall: reading.members(of: body), named: "name", tools)
        } catch {
            // Words for the model that has made them up.
            guard error.code == .invalidArguments else { throw error }
            return Response(json: toolResult(error.detail, isError: true))
        }
        var submission = try submission(submissionRequest, from: request, by: context.principal)
        submission.key = try IdempotencyKey(request, body: body)
        submission.answer = answer(to: submission)
        let (answer, isRepeated) = try await accept(submission)
        var response = Response(json: answer)
        if isRepeated { response.headers[.idempotentReplayed] = "true" }
        return response
    }

    private func answer(to submission: Submission) -> RawJSON {
        let tool = submission.tool.flatMap { tools[$0] }
        let text = RawJSON { writer in
            writer.beginObject()
            writer.member("envelope_id", submission.id)
            writer.member("message", "Envelope created successfully")
            writer.member("status_url", "/envelopes/\(submission.id)")
            writer.member("stream_url", tool?.reportsProgress == true ? "/envelopes/\(submission.id)/stream" : nil)
            if let metadata = tool?.metadata {
                writer.name("metadata")
                writer.append(metadata)
            }
            writer.endObject()
        }
        return toolResult(text.description, isError: false)
    }

    private func toolResult(_ text: String, isError: Bool) -> RawJSON {
        RawJSON { writer in
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
