internal import Envelopes
internal import HTTPTypes

/// The trace that a caller is in, as its request says and its envelope's headers will (W3C Trace Context, W3C Baggage).
struct CallerTrace: Sendable, Hashable {
    var parent: TraceParent?
    /// Means nothing without a parent.
    var state: String?
    var baggage: String?

    /// More is left out, as the recommendations allow.
    private static let lengthLimit = 8192

    init(_ fields: HTTPFields) {
        self.init { name in
            guard let name = HTTPField.Name(name) else { return nil }
            let values = fields[values: name]
            return values.isEmpty ? nil : values.joined(separator: ",")
        }
    }

    /// - Parameter meta: members of a request's `_meta` (MCP).
    init(_ meta: [RawJSON.Member]) {
        self.init { meta[$0]?.string }
    }

    private init(_ value: (String) -> String?) {
        func bounded(_ name: String) -> String? { value(name).flatMap { $0.utf8.count <= Self.lengthLimit ? $0 : nil } }
        parent = value("traceparent").flatMap(TraceParent.init)
        state = parent == nil ? nil : bounded("tracestate")
        baggage = bounded("baggage")
    }

    /// What an envelope says of itself stands.
    func write(to headers: inout Headers) {
        if headers.traceparent == nil {
            headers.traceparent = parent ?? .random()
            if parent != nil { set("tracestate", state, in: &headers) }
        }
        set("baggage", baggage, in: &headers)
    }

    private func set(_ name: String, _ value: String?, in headers: inout Headers) {
        if let value, headers[name] == nil { headers[name] = RawJSON(string: value) }
    }
}
