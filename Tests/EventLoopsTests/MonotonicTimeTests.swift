import TestSupport
import Testing

@testable import EventLoops

struct MonotonicTimeTests {
    @Test func goesForward() {
        var last = MonotonicTime.now
        for _ in 0..<1000 {
            let now = MonotonicTime.now
            #expect(now >= last)
            last = now
        }
    }

    @Test(arguments: 0..<10)
    func countsAsWideIntegersDo(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let edges: [UInt64] = [0, 1, 1_000_000_000, UInt64(Int64.max), UInt64(Int64.max) + 1, .max - 1, .max]
        for _ in 0..<500 {
            let start = Bool.random(using: &generator) ? edges.randomElement(using: &generator)! : generator.next()
            let small = Int64.random(in: -5...5, using: &generator)
            let shift = Bool.random(using: &generator) ? small : Int64(bitPattern: generator.next())
            let time = MonotonicTime(nanoseconds: start)
            let expected = min(max(Int128(start) + Int128(shift), 0), Int128(UInt64.max))
            #expect(Int128(time.advanced(by: .nanoseconds(shift)).nanoseconds) == expected)

            let other = MonotonicTime(nanoseconds: generator.next())
            let difference = Int128(other.nanoseconds) - Int128(start)
            let clamped = min(max(difference, -Int128(Int64.max)), Int128(Int64.max))
            #expect(time.duration(to: other) == .nanoseconds(Int64(clamped)))
            #expect((time < other) == (difference > 0))
        }
    }

    @Test func clampsDurations() {
        #expect(Duration.seconds(Int64.max).nanosecondsClamped == .max)
        #expect(Duration.seconds(Int64.min).nanosecondsClamped == .min)
        #expect(Duration.milliseconds(-1500).nanosecondsClamped == -1_500_000_000)
        #expect((Duration.nanoseconds(Int64.max) + .nanoseconds(1)).nanosecondsClamped == .max)
        #expect((Duration.nanoseconds(Int64.min) - .nanoseconds(1)).nanosecondsClamped == .min)
        #expect(Duration.nanoseconds(Int64.min).nanosecondsClamped == .min)
        #expect(Duration.milliseconds(-1500).inSeconds == -1.5)
    }

    @Test func roundsWaitsUp() {
        #expect(MonotonicTime(nanoseconds: 0).millisecondsFromNow == 0)
        let later = MonotonicTime.now.advanced(by: .seconds(1000))
        let milliseconds = later.millisecondsFromNow
        #expect(MonotonicTime.now.advanced(by: .milliseconds(milliseconds)) >= later)
        #expect(MonotonicTime(nanoseconds: .max).millisecondsFromNow > 1 << 40)
    }
}
