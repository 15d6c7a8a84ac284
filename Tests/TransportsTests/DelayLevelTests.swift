import EventLoops
import Testing

@testable import Transports

struct DelayLevelTests {
    @Test func levelsReachFromFiftyMillisecondsToThirtyDays() {
        #expect(DelayLevel.all.first == 50)
        #expect(DelayLevel.all.last == 2_592_000_000 as Int64)
        #expect(DelayLevel.all == DelayLevel.all.sorted() && Set(DelayLevel.all).count == DelayLevel.all.count)
        #expect(DelayLevel.all.count < 110)
    }

    @Test func everyDelayIsKeptToWithinTenPercent() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            // Evenly over the orders of magnitude.
            let exponent = Double.random(in: 1.7...9.41, using: &generator)
            let wanted = Int64(Double.pow10(exponent))
            let level = DelayLevel(nearest: .milliseconds(wanted)).milliseconds
            #expect(abs(level - wanted) <= max(5, wanted / 10), "\(wanted) ms became \(level) ms")
        }
    }

    @Test func whatLiesBeyondIsTheFirstOrLast() {
        #expect(DelayLevel(nearest: .zero).milliseconds == 50)
        #expect(DelayLevel(nearest: .seconds(1e12)).milliseconds == DelayLevel.all.last)
    }
}

extension Double {
    fileprivate static func pow10(_ exponent: Double) -> Double {
        var value = 1.0
        var rest = exponent
        while rest >= 1 {
            value *= 10
            rest -= 1
        }
        // 10^x for 0 <= x < 1, close enough to spread test values.
        return value * (1 + rest * (1.5 + rest * 7.5))
    }
}
