internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

extension GatewayRouter {
    var envelopeEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get, path: "/envelopes", name: "listEnvelopes", access: .scope(.read),
                summary: "List envelopes, without payloads and results",
                parameters: [
                    .init(
                        name: "parent", schema: #"{"type":"string","minLength":1}"#, text: "Children of that envelope"),
                    .init(name: "limit", schema: .integer(1...1000, default: 100), text: "At most so many"),
                ], answers: [.init(status: .ok, text: "A page", schema: .named("EnvelopeList"))],
                errors: [.invalidRequest], handler: listEnvelopes),
            Endpoint(
                method: .get, path: "/envelopes/{id}", name: "getEnvelope", access: .scope(.read),
                summary: "What is known of an envelope",
                answers: [.init(status: .ok, text: "The envelope", schema: .named("Envelope"))],
                errors: [.unknownEnvelope], handler: getEnvelope),
            Endpoint(
                method: .get, path: "/envelopes/{id}/active", name: "isActive", access: .known,
                summary: "Whether it is worth while to work on an envelope",
                answers: [
                    .init(status: .ok, text: "It is", schema: Self.activity),
                    .init(status: .gone, text: "It has ended, is past its deadline, or unknown", schema: Self.activity),
                ], listeners: [.outside, .inside], handler: isActive),
        ]
    }

    private static let activity: Schema =
        #"{"type":"object","required":["active"],"properties":{"active":{"type":"boolean"}}}"#

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
