internal import Envelopes
internal import HTTPTypes
internal import Logging

/// The request that is being answered, as its log lines and spans name it.
struct RequestScope: Sendable {
    @TaskLocal static var current: RequestScope?

    var id: String
    /// The span in which it is answered, or the caller's.
    var trace: TraceParent?

    /// - Parameter id: the caller's name for the request, taken when it has 1 to 128 characters of A-Z a-z 0-9 . _ : -
    init(id: String?, trace: TraceParent?) {
        let isAcceptable = id.map { EnvelopeID.isAcceptable($0, lengthLimit: 128) } ?? false
        self.id = isAcceptable ? id ?? "" : UInt64.random(in: 1 ... .max).hexadecimal
        self.trace = trace
    }

    static let metadataProvider = Logger.MetadataProvider {
        guard let scope = current else { return [:] }
        return Logger.Metadata(scope.trace).merging(["request_id": "\(scope.id)"]) { $1 }
    }
}

extension Logger.Metadata {
    /// Empty where there is no trace.
    init(_ trace: TraceParent?) {
        self = trace.map { ["trace_id": "\($0.traceID)", "span_id": "\($0.spanID)"] } ?? [:]
    }
}

extension HTTPField.Name {
    // The name is valid, so the initializer doesn't fail; the fallback is never taken.
    static let requestID = HTTPField.Name("X-Request-Id") ?? .ifMatch
}
