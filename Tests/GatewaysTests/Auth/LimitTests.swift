import EventLoops
import Telemetry
import Testing

@testable import Gateways

@Suite("Limits")
struct LimitTests {
    let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    @Test("a bucket lets a second's worth through at once, then the rate")
    func bucket() {
        var bucket = TokenBucket(rate: 10, now: start)
        var now = start
        for _ in 1...10 { #expect(bucket.take(rate: 10, now: now) == nil) }
        #expect(bucket.take(rate: 10, now: now) == .milliseconds(100))
        now = now.advanced(by: .milliseconds(50))
        #expect(bucket.take(rate: 10, now: now) == .milliseconds(50))
        var count = 0
        for _ in 0..<10_000 {
            now = now.advanced(by: .milliseconds(1))
            if bucket.take(rate: 10, now: now) == nil { count += 1 }
        }
        #expect((99...101).contains(count), "ten seconds at ten a second: \(count)")
        // Quiet does not add up to more than a second's worth.
        now = now.advanced(by: .seconds(3600))
        let isFull = bucket.isFull(rate: 10, now: now)
        #expect(isFull)
        count = 0
        while bucket.take(rate: 10, now: now) == nil { count += 1 }
        #expect(count == 10)
    }

    @Test("a rate below one lets one through in its time; a clock that goes back gives nothing")
    func slow() {
        var bucket = TokenBucket(rate: 0.5, now: start)
        #expect(bucket.take(rate: 0.5, now: start) == nil)
        #expect(bucket.take(rate: 0.5, now: start) == .seconds(2))
        let before = MonotonicTime(nanoseconds: start.nanoseconds - 1_000_000_000)
        #expect(bucket.take(rate: 0.5, now: before) == .seconds(2))
        #expect(bucket.take(rate: 0.5, now: start.advanced(by: .seconds(2))) == nil)
    }

    @Test("callers don't take from each other, and those that are quiet are forgotten")
    func callers() throws {
        let limiter = RateLimiter(limit: 100)
        for caller in 0..<100 { try limiter.admit("\(caller)", rate: 1, now: start) }
        let problem = #expect(throws: Problem.self) { try limiter.admit("7", rate: 1, now: start) }
        #expect(problem?.code == .rateLimited)
        #expect(problem?.headers[.retryAfter] == "1")
        // All are busy: there is room for another all the same.
        try limiter.admit("another", rate: 1, now: start)
        #expect(limiter.count == 1)
        for caller in 0..<99 { try limiter.admit("\(caller)", rate: 1, now: start) }
        let later = start.advanced(by: .milliseconds(1500))
        try limiter.admit("7", rate: 1, now: start.advanced(by: .milliseconds(1200)))
        try limiter.admit("new", rate: 1, now: later)
        // The one that was there just now still counts.
        #expect(limiter.count == 2)
        #expect(throws: Problem.self) { try limiter.admit("7", rate: 1, now: later) }
    }

    @Test("streams: of one caller, of all, and the place is free when nobody holds it")
    func streams() throws {
        let gauge = MetricsRegistry(namespace: "t").gauge("streams", "")
        let limiter = StreamLimiter(limit: 4, callerLimit: 2, gauge: gauge)
        let caller = Principal(id: "a", scopes: [])
        let modest = Principal(id: "b", scopes: [], streams: 1)
        var slots = [try limiter.slot(for: caller), try limiter.slot(for: caller)]
        #expect(throws: Problem.self) { try limiter.slot(for: caller) }
        slots.append(try limiter.slot(for: modest))
        let tooMany = #expect(throws: Problem.self) { try limiter.slot(for: modest) }
        #expect(tooMany?.code == .tooManyStreams)
        #expect(tooMany?.code.status == .tooManyRequests)
        slots.append(try limiter.slot(for: .anybody))
        let exhausted = #expect(throws: Problem.self) { try limiter.slot(for: .anybody) }
        #expect(exhausted?.code.status == .serviceUnavailable)
        slots.removeFirst()
        slots.append(try limiter.slot(for: caller))
        #expect(slots.count == 4)
        slots = []
        _ = try limiter.slot(for: .anybody)
    }

    @Test("a body's pace: only the time counts in which we wait")
    func pace() {
        var pace = BodyPace(rate: 100, patience: .seconds(2))
        var now = start
        #expect(pace.deadline(now: now) == nil)
        pace.waits(now: now)
        #expect(pace.deadline(now: now) == now.advanced(by: .seconds(2)))
        now = now.advanced(by: .seconds(1))
        pace.receives(100, now: now)
        #expect(pace.deadline(now: now) == nil)
        // An hour in which we were busy.
        now = now.advanced(by: .seconds(3600))
        pace.waits(now: now)
        #expect(pace.deadline(now: now) == now.advanced(by: .seconds(2)))
        // It drips: 10 bytes a second.
        for _ in 1...10 {
            now = now.advanced(by: .seconds(1))
            pace.receives(10, now: now)
            pace.waits(now: now)
        }
        #expect(pace.deadline(now: now).map { $0 < now } == true)
        var any = BodyPace(rate: 0, patience: .zero)
        any.waits(now: start)
        #expect(any.deadline(now: now) == nil)
    }
}
