internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

/// `/openapi.json`: OpenAPI 3.1, made from the endpoints that the router serves.
struct OpenAPIDocument: Sendable {
    private let endpoints: [Endpoint]

    static func endpoint(describing endpoints: [Endpoint]) -> Endpoint {
        var endpoint = Endpoint(
            method: .get, path: "/openapi.json", name: "getAPI", access: .open, summary: "This document",
            answers: [.init(status: .ok, text: "OpenAPI 3.1", schema: #"{"type":"object","required":["openapi"]}"#)]
        ) { _, _ in Response(text: "") }
        let document = OpenAPIDocument(endpoints: endpoints + [endpoint]).json
        endpoint.handler = { _, _ in Response(json: document) }
        return endpoint
    }

    var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.member("openapi", "3.1.0")
            writer.name("info")
            writer.beginObject()
            writer.member("title", "Troupe gateway")
            writer.member("version", ServerInfo.version)
            writer.member("summary", "Submit envelopes, watch them, act on them")
            writer.endObject()
            writer.name("paths")
            writer.beginObject()
            for path in paths { write(path, to: &writer) }
            writer.endObject()
            writer.name("components")
            writer.beginObject()
            writer.name("schemas")
            writer.beginObject()
            for (name, schema) in OpenAPISchemas.all {
                writer.name(name)
                writer.append(schema)
            }
            writer.endObject()
            writer.name("responses")
            writer.append(Self.problemResponses)
            writer.name("securitySchemes")
            writer.append(Self.securitySchemes)
            writer.endObject()
            writer.endObject()
        }
    }

    /// In the order of the endpoints, each once.
    private var paths: [String] {
        var seen: Set<String> = []
        return endpoints.map(\.path).filter { seen.insert($0).inserted }
    }

    private func write(_ path: String, to writer: inout JSONWriter) {
        writer.name(path)
        writer.beginObject()
        for endpoint in endpoints where endpoint.path == path {
            writer.name(endpoint.method.rawValue.lowercased())
            write(endpoint, to: &writer)
        }
        writer.endObject()
    }

    private func write(_ endpoint: Endpoint, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("operationId", endpoint.name)
        writer.member("summary", endpoint.summary)
        writer.member("description", endpoint.details)
        writer.name("security")
        writer.append(security(of: endpoint.access))
        let parameters = endpoint.pathParameters.map(pathParameter) + endpoint.parameters
        if !parameters.isEmpty {
            writer.name("parameters")
            writer.beginArray()
            for parameter in parameters { write(parameter, to: &writer) }
            writer.endArray()
        }
        if let body = endpoint.body {
            writer.name("requestBody")
            writer.beginObject()
            writer.name("required")
            writer.append(body.isRequired)
            writer.name("content")
            write(type: body.type, body.schema, example: body.example, to: &writer)
            writer.endObject()
        }
        writer.name("responses")
        writer.beginObject()
        for answer in endpoint.answers { write(answer, to: &writer) }
        writeErrors(of: endpoint, to: &writer)
        writer.endObject()
        writer.endObject()
    }

    private func pathParameter(_ name: String) -> Endpoint.Parameter {
        Endpoint.Parameter(
            name: name, place: .path, schema: .name,
            text: name == "id" ? "The envelope's id" : "The \(name)'s name")
    }

    private func write(_ parameter: Endpoint.Parameter, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", parameter.name)
        writer.member("in", parameter.place.rawValue)
        writer.member("description", parameter.text)
        if parameter.place == .path {
            writer.name("required")
            writer.append(true)
        }
        writer.name("schema")
        writer.append(parameter.schema)
        writer.endObject()
    }

    private func write(type: String, _ schema: Schema, example: String?, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name(type)
        writer.beginObject()
        writer.name("schema")
        writer.append(schema)
        if let example {
            writer.name("example")
            // Several lines of JSON are one text.
            writer.append((try? RawJSON(Array(example.utf8))) ?? RawJSON(string: example))
        }
        writer.endObject()
        writer.endObject()
    }

    private func write(_ answer: Endpoint.Answer, to writer: inout JSONWriter) {
        writer.name(String(answer.status.code))
        writer.beginObject()
        writer.member("description", answer.text)
        if !answer.headers.isEmpty {
            writer.name("headers")
            writer.beginObject()
            for header in answer.headers {
                writer.name(header.name)
                writer.beginObject()
                writer.member("description", header.text)
                writer.name("schema")
                writer.append(header.schema)
                writer.endObject()
            }
            writer.endObject()
        }
        if let schema = answer.schema {
            writer.name("content")
            write(type: answer.type, schema, example: answer.example, to: &writer)
        }
        if answer.hasEnvelopeID {
            writer.name("links")
            writer.beginObject()
            for endpoint in endpoints where endpoint.pathParameters == ["id"] {
                writer.name(endpoint.name)
                writer.beginObject()
                writer.member("operationId", endpoint.name)
                writer.name("parameters")
                writer.append(#"{"id":"$response.body#/id"}"#)
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
    }

    /// One entry a status, which names the codes that it may carry.
    private func writeErrors(of endpoint: Endpoint, to writer: inout JSONWriter) {
        let taken = Set(endpoint.answers.map(\.status.code))
        let codes = Dictionary(grouping: endpoint.errors) { $0.status.code }
        for (status, codes) in codes.sorted(by: { $0.key < $1.key }) where !taken.contains(status) {
            writer.name(String(status))
            writer.beginObject()
            writer.member("description", codes.map { "`\($0.rawValue)`: \($0.title)" }.joined(separator: "; "))
            writer.name("content")
            write(type: Problem.mediaType, .named("Problem"), example: nil, to: &writer)
            writer.endObject()
        }
        writer.name("default")
        writer.append(Schema(stringLiteral: ##"{"$ref":"#/components/responses/Problem"}"##))
    }

    private func security(of access: Access) -> Schema {
        switch access {
        case .open: "[]"
        case .known: #"[{"bearer":[]},{"apiKey":[]},{}]"#
        case .scope(let scope):
            Schema(
                stringLiteral: #"[{"bearer":["\#(scope.rawValue)"]},{"apiKey":["\#(scope.rawValue)"]},{}]"#)
        }
    }

    private static let problemResponses: Schema = ##"""
        {"Problem":{"description":"What went wrong (RFC 9457); docs/errors.md lists the codes",
        "content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}}
        """##

    private static let securitySchemes: Schema = #"""
        {"bearer":{"type":"http","scheme":"bearer","description":"An API key, or a JWT. Scopes: submit, read, operate, internal. A gateway on loopback may ask for none"},
        "apiKey":{"type":"apiKey","in":"header","name":"X-API-Key","description":"The same API key, where a client can't send Authorization"}}
        """#
}

extension JSONWriter {
    /// A schema is written by us: what is no JSON would be a mistake that every test of the document shows.
    fileprivate mutating func append(_ schema: Schema) { append((try? RawJSON(Array(schema.text.utf8))) ?? .null) }
}
