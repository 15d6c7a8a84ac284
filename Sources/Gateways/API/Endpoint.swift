internal import HTTPTypes
internal import Hummingbird

/// A method of a path: what it does, who may call it, what it takes and gives. The router and `/openapi.json` are both made from it.
struct Endpoint: Sendable {
    typealias Handler = @Sendable (Request, GatewayRouter.Context) async throws -> Response

    var method: HTTPRequest.Method
    /// With `{name}` for what varies.
    var path: String
    /// The operation's name for generated clients.
    var name: String
    var access: Access
    var summary: String
    /// More than fits into the summary.
    var details: String?
    /// Query and headers; those of the path come from the path.
    var parameters: [Parameter] = []
    var body: Body?
    var answers: [Answer]
    /// What the caller can do something about. Others (401, 403, 429, 503, ...) can come from everywhere.
    var errors: [ErrorCode] = []
    /// Which ports serve it where sidecars have one of their own.
    var listeners: Set<Listener> = [.outside]
    var handler: Handler

    struct Parameter: Sendable {
        enum Place: String, Sendable { case query, header, path }

        var name: String
        var place = Place.query
        var schema: Schema
        var text: String
    }

    struct Body: Sendable {
        var type = "application/json"
        var schema: Schema
        var example: String?
        var isRequired = true
    }

    struct Answer: Sendable {
        var status: HTTPResponse.Status
        var text: String
        var type = "application/json"
        /// `nil`: no body.
        var schema: Schema?
        var example: String?
        var headers: [Parameter] = []
        /// Its `id` is an envelope's: links lead from here to all that can be done with one.
        var hasEnvelopeID = false
    }

    /// Of the path, in order.
    var pathParameters: [String] {
        path.split(separator: "/").compactMap { $0.hasPrefix("{") ? String($0.dropFirst().dropLast()) : nil }
    }

    /// As the router writes it: `:name` for `{name}`.
    var routerPath: RouterPath {
        RouterPath(path.replacing("{", with: ":").replacing("}", with: ""))
    }
}

/// A JSON Schema (2020-12) as text.
struct Schema: Sendable, Hashable, ExpressibleByStringLiteral {
    var text: String

    init(stringLiteral text: String) { self.text = text }

    static let string: Schema = #"{"type":"string"}"#
    static let name: Schema = #"{"type":"string","minLength":1}"#
    static let time: Schema = #"{"type":"string","format":"date-time"}"#
    /// Off unless it is said.
    static let flag: Schema = #"{"type":"boolean","default":false}"#

    /// One of the document's components.
    static func named(_ name: String) -> Schema {
        Schema(stringLiteral: ##"{"$ref":"#/components/schemas/\##(name)"}"##)
    }

    static func integer(_ range: ClosedRange<Int>, default fallback: Int) -> Schema {
        Schema(
            stringLiteral:
                #"{"type":"integer","minimum":\#(range.lowerBound),"maximum":\#(range.upperBound),"default":\#(fallback)}"#
        )
    }
}
