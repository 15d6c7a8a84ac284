public import Envelopes
public import EventLoops

/// One piece of work in a trace, once it is over.
public struct Span: Sendable, Hashable {
    /// As OTLP numbers them.
    public enum Kind: Int, Sendable { case `internal` = 1, server, client, producer, consumer }

    public enum Value: Sendable, Hashable {
        case text(String)
        case integer(Int)
    }

    public var name: String
    public var kind: Kind
    public var context: TraceParent
    /// `nil` for the root of its trace.
    public var parent: TraceParent?
    /// What it has to do with beside its parent.
    public var links: [TraceParent] = []
    /// Nanoseconds since 1970.
    public var start: Int64
    public var end: Int64
    /// Names as OpenTelemetry's semantic conventions have them. Never what came in a payload.
    public var attributes: [String: Value] = [:]
    /// A word or a type (`timeout`, `ValueError`) where it has failed, never a sentence of a handler's.
    public var error: String?

    /// Ends now.
    /// - Parameter start: when it began.
    public init(
        _ name: String, _ kind: Kind, _ context: TraceParent, below parent: TraceParent?, since start: MonotonicTime,
        _ attributes: [String: Value] = [:], error: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        end = Timestamp.microsecondsNow() * 1000
        self.start = end - start.duration(to: .now).nanosecondsClamped
        self.attributes = attributes
        self.error = error
    }
}

extension Span.Value: ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) { self = .text(value) }
}

extension Span.Value: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) { self = .integer(value) }
}
