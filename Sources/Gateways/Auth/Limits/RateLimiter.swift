internal import EventLoops
internal import Synchronization

/// A bucket for each caller. Bounded: those of callers who have been quiet are forgotten, and when that isn't enough, all are.
final class RateLimiter: Sendable {
    private let buckets = Mutex<[String: (bucket: TokenBucket, rate: Double)]>([:])
    private let limit: Int

    init(limit: Int = 10_000) { self.limit = limit }

    var count: Int { buckets.withLock { $0.count } }

    /// - Parameter rate: requests per second.
    /// - Throws: `rate_limited` with the time to wait.
    func admit(_ caller: String, rate: Double, now: MonotonicTime = .now) throws(Problem) {
        let wait = buckets.withLock { buckets in
            if buckets[caller] == nil, buckets.count >= limit {
                buckets = buckets.filter { _, entry in
                    var bucket = entry.bucket
                    return !bucket.isFull(rate: entry.rate, now: now)
                }
                if buckets.count >= limit { buckets = [:] }
            }
            var bucket = buckets[caller]?.bucket ?? TokenBucket(rate: rate, now: now)
            defer { buckets[caller] = (bucket, rate) }
            return bucket.take(rate: rate, now: now)
        }
        guard let wait else { return }
        throw Problem(
            .rateLimited, "more than \(rate) requests per second", retryAfter: Int(wait.inSeconds.rounded(.up)))
    }
}
