import EventLoops
import TestSupport
import Testing

struct BackoffTests {
    @Test(arguments: 0..<20)
    func growsToTheCeilingWithJitter(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var backoff = Backoff(initial: .milliseconds(100), factor: 2, ceiling: .seconds(10))
        var step = Duration.milliseconds(100)
        for tries in 0..<30 {
            #expect(backoff.tries == tries)
            let wait = backoff.next(random: .random(in: 0..<1, using: &generator))
            #expect(wait <= step)
            #expect(wait >= step / 2)
            step = min(step * 2, .seconds(10))
        }
        backoff.reset()
        #expect(backoff.tries == 0)
        let wait = backoff.next(random: .random(in: 0..<1, using: &generator))
        #expect(wait <= .milliseconds(100))
    }

    @Test func jitterSpreads() {
        var generator = SeededGenerator(seed: 1)
        let waits = (0..<100).map { _ in
            var backoff = Backoff(initial: .seconds(1))
            return backoff.next(random: .random(in: 0..<1, using: &generator))
        }
        #expect(waits.min()! < .milliseconds(600))
        #expect(waits.max()! > .milliseconds(900))
        #expect(Set(waits).count > 90)
    }

    @Test func bearsOddSettings() {
        var steep = Backoff(initial: .nanoseconds(1), factor: 1e12, ceiling: .seconds(3_000_000))
        var high = Backoff(initial: .seconds(60), factor: 2, ceiling: .seconds(1))
        var none = Backoff(initial: .zero)
        for _ in 0..<100 {
            let waits = [steep.next(), high.next(), none.next()]
            #expect(waits[0] <= .seconds(3_000_000))
            #expect(waits[1] <= .seconds(1))
            #expect(waits[2] == .zero)
        }
    }
}
