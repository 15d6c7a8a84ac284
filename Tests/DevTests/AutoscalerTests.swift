import EventLoops
import Projects
import TestSupport
import Testing

@testable import Dev

struct AutoscalerTests {
    /// Minutes and seconds of a clock that begins at an hour.
    private static func at(_ seconds: Double) -> MonotonicTime {
        MonotonicTime(nanoseconds: 3_600_000_000_000).advanced(by: .seconds(seconds))
    }

    /// Looks each second, at `messages(second)`.
    /// - Returns: the seconds at which the number changed, and what it was then.
    private func changes(
        _ scale: Scale, seconds: Int, messages: (Int) -> Int?
    ) -> [Int: Int] {
        var autoscaler = Autoscaler(scale, now: Self.at(0))
        var changes: [Int: Int] = [:]
        for second in 0..<seconds where autoscaler.look(messages: messages(second), now: Self.at(Double(second))) {
            changes[second] = autoscaler.replicas
        }
        return changes
    }

    @Test func theFirstIsStartedAtOnceAndTheRestAsManyAsTheFormulaWants() {
        // ceil(42 / 5) = 9; 1, then at most +4 in 15 s, then at most twice as many.
        #expect(
            changes(Scale(maximum: 20), seconds: 60) { $0 < 10 ? 0 : 42 } == [10: 1, 11: 5, 26: 9])
    }

    @Test func largeNumbersDouble() {
        #expect(changes(Scale(maximum: 64), seconds: 90) { _ in 1000 } == [0: 1, 1: 5, 16: 10, 31: 20, 46: 40, 61: 64])
    }

    @Test func itSinksByHalfAfterAMinuteAndToNoneAfterAMinuteWithoutMessages() {
        // 8 replicas for 40 messages; then 3 remain for a while, then none.
        let seen = changes(Scale(maximum: 8), seconds: 400) { $0 < 100 ? 40 : $0 < 250 ? 3 : 0 }
        #expect(seen == [0: 1, 1: 5, 16: 8, 160: 4, 175: 2, 190: 1, 309: 0])
    }

    @Test func aMinimumIsKept() {
        let seen = changes(Scale(minimum: 2, maximum: 4), seconds: 300) { $0 < 100 ? 100 : 0 }
        #expect(seen == [0: 4, 160: 2])
    }

    @Test func nobodyKnowsAndNothingChanges() {
        #expect(changes(Scale(), seconds: 300) { $0 < 5 ? 10 : nil } == [0: 1, 1: 2])
    }

    @Test func aTenthMoreOrLessIsNoReason() {
        #expect(changes(Scale(minimum: 10, maximum: 20), seconds: 300) { $0 % 2 == 0 ? 54 : 46 } == [:])
        #expect(changes(Scale(minimum: 10, maximum: 20), seconds: 10) { _ in 56 } == [0: 12])
    }

    @Test func aDipIsRiddenOut() {
        // For 50 s nothing, twice: less than the minute that a number holds.
        let seen = changes(Scale(maximum: 4), seconds: 400) { (100..<150).contains($0 % 200) ? 0 : 20 }
        #expect(seen == [0: 1, 1: 4])
    }

    @Test func periodsCanBeShort() {
        let scale = Scale(cooldown: .seconds(2), period: .seconds(1), stabilization: .seconds(1))
        var autoscaler = Autoscaler(scale, now: Self.at(0))
        #expect(autoscaler.interval == .milliseconds(500))
        var numbers: [Int] = []
        for step in 0..<20 {
            _ = autoscaler.look(messages: step < 6 ? 100 : 0, now: Self.at(Double(step) / 2))
            numbers.append(autoscaler.replicas)
        }
        #expect(numbers == [1, 4, 4, 4, 4, 4, 4, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Whatever comes, each number keeps the rules that a cluster keeps.
    @Test(arguments: 0..<200)
    func theRulesHoldForWhateverComes(seed: Int) {
        /// `#expect` takes its time, and this is asked a million times.
        func hold(_ isTrue: Bool, _ what: @autoclosure () -> String) {
            if !isTrue { Issue.record("\(what()), seed \(seed)") }
        }
        var random = SeededGenerator(seed: UInt64(seed))
        let minimum = Int.random(in: 0...3, using: &random)
        let scale = Scale(
            minimum: minimum, maximum: Int.random(in: max(1, minimum)...40, using: &random),
            queueLength: Int.random(in: 1...20, using: &random))
        var autoscaler = Autoscaler(scale, now: Self.at(0))
        var history: [(second: Double, replicas: Int)] = [(0, autoscaler.replicas)]
        var lastMessage = 0.0
        var (second, messages) = (0.0, 0)
        for _ in 0..<1000 {
            second += Double.random(in: 0.2...3, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0: messages = 0
            case 1: messages = Int.random(in: 0...1000, using: &random)
            default: messages = max(0, messages + Int.random(in: -10...10, using: &random))
            }
            let isKnown = Int.random(in: 0..<10, using: &random) > 0
            if isKnown, messages > 0 { lastMessage = second }
            let before = autoscaler.replicas
            let hasChanged = autoscaler.look(messages: isKnown ? messages : nil, now: Self.at(second))
            let now = autoscaler.replicas
            hold(hasChanged == (now != before), "what it says")
            hold(isKnown || !hasChanged, "unknown")
            hold((scale.minimum...max(scale.maximum, 1)).contains(now), "bounds")
            // Not in one period more than twice as many, or four more; not less than half.
            let recent = history.suffix(80).filter { second - $0.second < 15 }.map(\.replicas)
            if now > before, before > 0, let least = (recent + [before]).filter({ $0 > 0 }).min() {
                hold(now <= max(2 * least, least + 4), "\(recent) \(now)")
            }
            if now < before, now > 0, let most = (recent + [before]).max() {
                hold(now >= most / 2, "\(recent) \(now)")
            }
            if now == 0, before > 0 { hold(second - lastMessage >= 60 && messages == 0, "none") }
            if before == 0, isKnown, messages > 0 { hold(now == 1, "the first") }
            history.append((second, now))
        }
    }
}
