internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

/// An error that a client gets to see, as a problem document (RFC 9457).
struct Problem: Error, Sendable, Hashable {
    var code: ErrorCode
    /// What is wrong with this request; quotes no payload.
    var detail: String
    /// JSON Pointer to the member that is wrong.
    var pointer: String?
    /// Where there are several: JSON Pointer and what is wrong there.
    var places: [ArgumentProblem.Place] = []
    var headers: HTTPFields = [:]

    /// - Parameter retryAfter: seconds.
    init(_ code: ErrorCode, _ detail: String, at pointer: String? = nil, retryAfter: Int? = nil) {
        self.code = code
        self.detail = detail
        self.pointer = pointer
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
    }

    /// - Parameter name: the member that has the arguments.
    init(_ problem: ArgumentProblem, in name: String) {
        self.init(.invalidArguments, problem.message)
        places = problem.places.map { .init(pointer: "/\(name)\($0.pointer)", message: $0.message) }
        pointer = places.first?.pointer
    }

    init(_ error: JSONError) {
        switch error.code {
        case .tooDeep: self.init(.nestingTooDeep, error.description)
        case .tooLarge: self.init(.bodyTooLarge, error.message)
        default: self.init(.invalidJSON, error.description)
        }
    }

    init(_ error: StoreError) {
        if error.isUnavailable || error.isRetryable || error.code == .closed {
            self.init(.databaseUnavailable, "The database can't be reached or is busy; try again soon", retryAfter: 1)
        } else {
            self.init(.internalError, "The database refused a statement; the gateway's log has the reason")
        }
    }

    /// - Parameter listeners: that serve what was asked for.
    static func misdirected(to listeners: Set<Listener>) -> Problem {
        Problem(
            .misdirected,
            listeners.contains(.inside)
                ? "what sidecars tell is taken on the gateway's TROUPE_GATEWAY_INTERNAL_PORT"
                : "this port is for sidecars and monitoring; all else is on the gateway's TROUPE_GATEWAY_PORT")
    }

    static let mediaType = "application/problem+json"

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("type", "urn:troupe:problem:\(code.rawValue)")
        writer.member("title", code.title)
        writer.member("status", number: Double(code.status.code))
        writer.member("code", code.rawValue)
        writer.member("detail", detail)
        writer.member("pointer", pointer)
        if !places.isEmpty {
            writer.name("errors")
            writer.beginArray()
            for place in places {
                writer.beginObject()
                writer.member("pointer", place.pointer)
                writer.member("detail", place.message)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
    }

    var json: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    var response: Response {
        var response = Response(status: code.status, json: json)
        response.headers[.contentType] = Self.mediaType
        for field in headers { response.headers[field.name] = field.value }
        return response
    }
}
