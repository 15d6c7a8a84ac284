/// Several results of one call: each goes to the next actor as an envelope of its own. None at all ends the route here.
///
/// A plain array is one result that is a list; this says that many are meant.
public struct FanOut<Element: Encodable & Sendable>: Encodable, Sendable {
    public var results: [Element]

    public init(_ results: some Sequence<Element>) { self.results = Array(results) }

    public func encode(to encoder: any Encoder) throws { try results.encode(to: encoder) }
}

extension FanOut: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Element...) { results = elements }
}

/// An output that is not exactly one result.
protocol ManyResults {
    var eachResult: [any Encodable] { get }
}

extension FanOut: ManyResults {
    var eachResult: [any Encodable] { results }
}

extension Optional: ManyResults where Wrapped: Encodable {
    /// `nil` ends the route here.
    var eachResult: [any Encodable] {
        switch self {
        case .none: []
        case .some(let output): (output as? any ManyResults)?.eachResult ?? [output]
        }
    }
}
