public import Envelopes

/// Gives spans their place in a trace, and takes them when they have ended. Where nothing is exported there is no tracer.
public struct Tracer: Sendable {
    private let samplingRatio: Double
    private let sink: @Sendable (Span) -> Void

    /// - Parameters:
    ///   - samplingRatio: 0...1, how many of the traces that begin here are sampled.
    ///   - sink: takes what has ended; must not block.
    public init(samplingRatio: Double = 1, sink: @escaping @Sendable (Span) -> Void) {
        self.samplingRatio = samplingRatio
        self.sink = sink
    }

    /// The context of a new span. Whoever began the trace has decided whether it is sampled: all of it is, or nothing.
    /// - Returns: `nil` below a parent that is not sampled: that travels on as it is. Without a parent, the root of a new
    ///   trace, sampled or not.
    public func context(below parent: TraceParent?) -> TraceParent? {
        guard let parent else { return .random(isSampled: .random(in: 0..<1) < samplingRatio) }
        return parent.isSampled ? parent.child() : nil
    }

    /// Exports a span, unless its trace is not sampled.
    public func record(_ span: @autoclosure () -> Span, if context: TraceParent) {
        if context.isSampled { sink(span()) }
    }

    public func record(_ span: Span) { record(span, if: span.context) }
}
