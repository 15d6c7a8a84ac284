internal import Synchronization
internal import Telemetry

/// Counts requests. A series is looked up by its labels once; there are as many as endpoints have statuses.
final class RequestMetrics: Sendable {
    private let metrics: GatewayMetrics
    private let known = Mutex<[Labels: (count: Counter, duration: Histogram)]>([:])

    private struct Labels: Hashable {
        var method: String
        var route: String
        var status: Int
    }

    init(_ metrics: GatewayMetrics) { self.metrics = metrics }

    /// - Parameters:
    ///   - route: the path's pattern: ids would make a series each.
    ///   - seconds: until the answer's head.
    func count(method: String, route: String, status: Int, _ seconds: Double) {
        let series = known.withLock { known in
            let labels = Labels(method: method, route: route, status: status)
            if let series = known[labels] { return series }
            let series = (
                metrics.request(method: method, route: route, status: status),
                metrics.requestDuration(method: method, route: route)
            )
            known[labels] = series
            return series
        }
        series.count.increment()
        series.duration.observe(seconds)
    }
}
