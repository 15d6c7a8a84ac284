internal import Envelopes
internal import Settings
internal import Telemetry

/// A metric of the user's, from `TROUPE_CUSTOM_METRICS`: a JSON list of `{name, type, help, labels?, buckets?}`.
public struct CustomMetric: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable { case counter, gauge, histogram }

    public var name: String
    public var kind: Kind
    public var help: String
    public var buckets: [Double]

    static func list(_ settings: inout Settings) -> [CustomMetric] {
        guard let text = settings.text("CUSTOM_METRICS") else { return [] }
        do {
            let json = try RawJSON(Array(text.utf8))
            guard json.kind == .array else { throw Problem("must be a JSON list, is \(json.kind)") }
            return try json.elements.enumerated().map { index, element in try CustomMetric(element, index) }
        } catch {
            settings.problem("TROUPE_CUSTOM_METRICS", "\(error)")
            return []
        }
    }

    private init(_ json: RawJSON, _ index: Int) throws {
        guard let name = json["name"]?.string, let first = name.utf8.first,
            !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
            name.utf8.allSatisfy({ byte in
                Character(Unicode.Scalar(byte)).isLetter || byte == 95 || (48...57).contains(byte)
            })
        else { throw Problem("element \(index) needs a 'name' of letters, digits and _") }
        guard let type = json["type"]?.string, let kind = Kind(rawValue: type) else {
            throw Problem("'type' of '\(name)' must be one of: counter, gauge, histogram")
        }
        self.name = name
        self.kind = kind
        help = json["help"]?.string ?? name
        buckets = json["buckets"]?.elements.compactMap(\.double) ?? []
        guard buckets == buckets.sorted() else { throw Problem("'buckets' of '\(name)' must ascend") }
    }

    private struct Problem: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    func register(in registry: MetricsRegistry) {
        switch kind {
        case .counter: _ = registry.counter(name, help)
        case .gauge: _ = registry.gauge(name, help)
        case .histogram: _ = registry.histogram(name, help, buckets: buckets.isEmpty ? Histogram.seconds : buckets)
        }
    }
}
