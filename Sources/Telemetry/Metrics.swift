internal import Synchronization

/// Counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4).
///
/// A metric is made once and kept; counting is an atomic addition. Labels are few and bounded: queue names, states,
/// never ids.
public final class MetricsRegistry: Sendable {
    public let namespace: String
    private let families = Mutex<[String: Family]>([:])

    private struct Family {
        var help: String
        var type: String
        /// By their labels as text: the order of the output.
        var series: [String: any Series] = [:]
    }

    /// - Parameter namespace: stands before every name: `{namespace}_{name}`.
    public init(namespace: String) { self.namespace = namespace }

    public func counter(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:]) -> Counter {
        find(name, help, type: "counter", labels) { Counter() }
    }

    public func gauge(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        find(name, help, type: "gauge", labels) { Gauge() }
    }

    /// - Parameter buckets: upper bounds, ascending; `+Inf` comes by itself.
    public func histogram(
        _ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:], buckets: [Double]
    ) -> Histogram {
        find(name, help, type: "histogram", labels) { Histogram(buckets: buckets) }
    }

    /// Sets a gauge that has a series for each of what is there just now: what is not named is gone.
    /// - Parameter label: by which the series differ.
    public func set(_ name: String, _ help: String, by label: String, _ levels: [(value: String, level: Int)]) {
        families.withLock { families in
            var family = Family(help: help, type: "gauge")
            for (value, level) in levels {
                let gauge = Gauge()
                gauge.set(level)
                family.series["\(label)=\"\(Self.escaped(value, quotes: true))\""] = gauge
            }
            families[name] = family
        }
    }

    private func find<Metric: Series>(
        _ name: String, _ help: String, type: String, _ labels: KeyValuePairs<String, String>, _ make: () -> Metric
    ) -> Metric {
        let key = labels.map { "\($0)=\"\(Self.escaped($1, quotes: true))\"" }.joined(separator: ",")
        return families.withLock { families in
            if let known = families[name]?.series[key] as? Metric { return known }
            let metric = make()
            // A name has one type. Whoever comes second with another one counts, but is not shown.
            if let family = families[name], family.type != type { return metric }
            families[name, default: Family(help: help, type: type)].series[key] = metric
            return metric
        }
    }

    /// The whole registry as Prometheus text.
    public func exposition() -> String {
        families.withLock { families in
            var text = ""
            for (name, family) in families.sorted(by: { $0.key < $1.key }) {
                let help = Self.escaped(family.help, quotes: false)
                text += "# HELP \(namespace)_\(name) \(help)\n# TYPE \(namespace)_\(name) \(family.type)\n"
                for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                    series.write(name: "\(namespace)_\(name)", labels: labels, to: &text)
                }
            }
            return text
        }
    }

    private static func escaped(_ value: String, quotes: Bool) -> String {
        var text = String.UnicodeScalarView()
        // Not by characters: one of them is a line feed behind a carriage return.
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text.append(contentsOf: "\\\\".unicodeScalars)
            case "\"" where quotes: text.append(contentsOf: "\\\"".unicodeScalars)
            case "\n": text.append(contentsOf: "\\n".unicodeScalars)
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}

private protocol Series: AnyObject, Sendable {
    func write(name: String, labels: String, to text: inout String)
}

/// Only grows.
public final class Counter: Series, Sendable {
    private let count = Atomic<Int>(0)

    public func increment(by amount: Int = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    public var value: Int { count.load(ordering: .relaxed) }

    func write(name: String, labels: String, to text: inout String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}

public final class Gauge: Series, Sendable {
    private let level = Atomic<Int>(0)

    public func set(_ value: Int) { level.store(value, ordering: .relaxed) }
    public func add(_ amount: Int) { level.wrappingAdd(amount, ordering: .relaxed) }

    public var value: Int { level.load(ordering: .relaxed) }

    func write(name: String, labels: String, to text: inout String) {
        text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }
}

public final class Histogram: Series, Sendable {
    private let buckets: [Double]
    private let state: Mutex<(counts: [Int], sum: Double)>

    init(buckets: [Double]) {
        self.buckets = buckets
        state = Mutex((Array(repeating: 0, count: buckets.count + 1), 0))
    }

    public func observe(_ value: Double) {
        let index = buckets.firstIndex { value <= $0 } ?? buckets.count
        state.withLock {
            $0.counts[index] += 1
            $0.sum += value
        }
    }

    public var count: Int { state.withLock { $0.counts.reduce(0, +) } }

    func write(name: String, labels: String, to text: inout String) {
        let (counts, sum) = state.withLock { $0 }
        let separator = labels.isEmpty ? "" : ","
        var total = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < buckets.count ? "\(buckets[index])" : "+Inf"
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        text += "\(name)_sum\(braces) \(sum)\n\(name)_count\(braces) \(total)\n"
    }

    /// 1 ms to 5 minutes.
    public static let seconds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
    ]
    /// For what is known to the second only: the same second, 1 second to a day.
    public static let wholeSeconds: [Double] = [0, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 21_600, 86_400]
    /// 128 B to 64 MiB.
    public static let bytes: [Double] = [128, 1024, 16_384, 131_072, 1_048_576, 8_388_608, 67_108_864]
}
