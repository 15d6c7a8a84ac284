internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

extension GatewayRouter {
    /// `GET /envelopes/{id}`
    func getEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        guard let envelope = try await store.envelope(id) else { throw unknownEnvelope(id) }
        return Response { envelope.write(to: &$0, withBodies: true) }
    }

    /// `GET /envelopes?parent=ID&limit=N`: without payloads and results, which `GET /envelopes/{id}` has.
    func listEnvelopes(_ request: Request, _ context: Context) async throws -> Response {
        let query = request.uri.queryParameters
        guard let parent = query["parent"], !parent.isEmpty else {
            throw Problem(.invalidRequest, "the query parameter 'parent' is missing")
        }
        guard !parent.utf8.contains(0) else { throw Problem(.invalidRequest, "'parent' is no id") }
        var limit = 100
        if let text = query["limit"] {
            guard let number = Int(text), (1...1000).contains(number) else {
                throw Problem(.invalidRequest, "'limit' must be a whole number from 1 to 1000")
            }
            limit = number
        }
        let children = try await store.children(of: String(parent), limit: limit)
        return Response { writer in
            writer.beginObject()
            writer.member("envelopes", children)
            writer.endObject()
        }
    }

    /// `GET /envelopes/{id}/active`
    func isActive(_ request: Request, _ context: Context) async throws -> Response {
        // What can't be an id is unknown, and so not active.
        let id = try? reading.envelopeID(context)
        let isActive = if let id { try await store.isActive(id) } else { false }
        return Response(status: isActive ? .ok : .gone) { writer in
            writer.beginObject()
            writer.name("active")
            writer.append(isActive)
            writer.endObject()
        }
    }

    func unknownEnvelope(_ id: String) -> Problem { Problem(.unknownEnvelope, "there is no envelope '\(id)'") }
}
