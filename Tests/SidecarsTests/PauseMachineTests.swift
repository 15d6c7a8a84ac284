import Envelopes
import Testing

@testable import Sidecars

struct PauseMachineTests {
    static func news(_ isPaused: Bool, _ decidedAt: Int64) -> ActorPause {
        ActorPause(actor: "a", isPaused: isPaused, decidedAt: decidedAt)
    }

    @Test func aPauseHoldsThenGivesBackAndEnds() {
        var machine = PauseMachine()
        #expect(machine.gate == .open)
        #expect(machine.told(Self.news(true, 1)) == .holding)
        #expect(machine.heldLongEnough(machine.pauseNumber) == .closed)
        #expect(machine.heldLongEnough(machine.pauseNumber) == nil)
        #expect(machine.told(Self.news(false, 2)) == .open)
    }

    @Test func anActorThatNobodyHasPausedIsOpen() {
        var machine = PauseMachine()
        #expect(machine.told(Self.news(false, 0)) == nil)
        #expect(machine.told(Self.news(true, 0)) == .holding, "whatever a clock may say")
    }

    @Test func repetitionsChangeNothing() {
        var machine = PauseMachine()
        _ = machine.told(Self.news(true, 1))
        #expect(machine.told(Self.news(true, 1)) == nil)
        // Paused once more, with another reason: the time to hold goes on.
        #expect(machine.told(Self.news(true, 2)) == nil)
        #expect(machine.heldLongEnough(machine.pauseNumber) == .closed)
        #expect(machine.told(Self.news(true, 3)) == nil)
        _ = machine.told(Self.news(false, 4))
        #expect(machine.told(Self.news(false, 4)) == nil)
    }

    @Test func theTimerOfAnEarlierPauseDoesNotEndTheHoldOfALaterOne() {
        var machine = PauseMachine()
        _ = machine.told(Self.news(true, 1))
        let first = machine.pauseNumber
        _ = machine.told(Self.news(false, 2))
        #expect(machine.heldLongEnough(first) == nil && machine.gate == .open)
        _ = machine.told(Self.news(true, 3))
        #expect(machine.heldLongEnough(first) == nil && machine.gate == .holding)
        #expect(machine.heldLongEnough(machine.pauseNumber) == .closed)
    }

    /// Whatever gets lost, is repeated or comes late: who hears of the last decision obeys it, and all others alike.
    @Test func allComeToObeyTheLastDecisionInWhateverOrderTheyHear() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let decisions = (1...Int64.random(in: 1...6)).map { Self.news(.random(), $0) }
            let told = (decisions + decisions).shuffled(using: &generator).dropLast(.random(in: 0...3))
            var machine = PauseMachine()
            for news in told + decisions.suffix(1) {
                _ = machine.told(news)
                if Bool.random() { _ = machine.heldLongEnough(.random(in: 0...machine.pauseNumber)) }
            }
            #expect((machine.gate != .open) == decisions.last?.isPaused, "\(told)")
        }
    }
}
