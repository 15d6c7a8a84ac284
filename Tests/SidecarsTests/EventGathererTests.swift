import Envelopes
import EventLoops
import TestSupport
import Testing

@testable import Sidecars

struct EventGathererTests {
    private var start = MonotonicTime(nanoseconds: 1_000_000_000)
    private func time(_ milliseconds: Int) -> MonotonicTime { start.advanced(by: .milliseconds(milliseconds)) }

    private func event(_ data: String = "1", type: String = "token") -> RawJSON {
        (try? RawJSON(Array(#"{"type":"\#(type)","data":\#(data)}"#.utf8))) ?? .null
    }

    private func text(_ bytes: Int) -> String { "\"" + String(repeating: "x", count: bytes - 2) + "\"" }

    private func data(_ action: EventGatherer.Action) -> [String]? {
        guard case .send(let events) = action else { return nil }
        return events.map(\.data.description)
    }

    @Test func theFirstGoesAtOnceTheOthersInPortions() {
        var gatherer = EventGatherer()
        #expect(data(gatherer.received(event("1"), at: "t", now: time(0))) == ["1"])
        #expect(gatherer.received(event("2"), at: "t", now: time(1)) == .nothing)
        // Confirmed before the time: it waits for the rest of it.
        #expect(gatherer.sent(now: time(5)) == .schedule(after: .milliseconds(45)))
        #expect(gatherer.received(event("3"), at: "t", now: time(20)) == .nothing)
        #expect(data(gatherer.due(now: time(50))) == ["2", "3"])
        #expect(gatherer.sent(now: time(60)) == .nothing)
        // After a silence the next one is not kept waiting.
        #expect(data(gatherer.received(event("4"), at: "t", now: time(200))) == ["4"])
    }

    @Test func oneIsUnderWayAtATimeHoweverSlowTheBroker() {
        var gatherer = EventGatherer()
        #expect(data(gatherer.received(event("1"), at: "t", now: time(0))) == ["1"])
        for number in 2..<100 {
            #expect(gatherer.received(event("\(number)"), at: "t", now: time(number * 100)) == .nothing)
        }
        #expect(data(gatherer.sent(now: time(20_000))) == (2..<100).map(String.init))
    }

    @Test func aLargePortionDoesNotWaitAndIsBounded() {
        var gatherer = EventGatherer()
        _ = gatherer.received(event("0"), at: "t", now: time(0))
        _ = gatherer.sent(now: time(1))
        var sent: [Int] = []
        for number in 1...10 {
            let action = gatherer.received(event(text(10_000)), at: "t", now: time(2))
            if case .send(let events) = action {
                sent.append(events.count)
                #expect(number == 4)
            }
        }
        // What has come meanwhile goes on at once, for as long as it is much.
        guard case .send(let second) = gatherer.sent(now: time(3)) else { return #expect(Bool(false)) }
        sent.append(second.count)
        #expect(sent == [4, 4])
        #expect(gatherer.sent(now: time(4)) == .nothing, "the timer of the first is still set")
        #expect(data(gatherer.due(now: time(53)))?.count == 2)
    }

    @Test func theEndSendsWhatWaitsAndTakesNothingMore() {
        var gatherer = EventGatherer()
        _ = gatherer.received(event("1"), at: "t", now: time(0))
        _ = gatherer.received(event("2"), at: "t", now: time(1))
        #expect(gatherer.ended(now: time(2)) == .nothing)
        #expect(data(gatherer.sent(now: time(3))) == ["2"])
        #expect(gatherer.received(event("3"), at: "t", now: time(3)) == .nothing)
        #expect(gatherer.sent(now: time(4)) == .finish)

        var silent = EventGatherer()
        #expect(silent.ended(now: time(0)) == .finish)
    }

    @Test func aTimerThatComesLateOrTwiceSendsNothingTwice() {
        var gatherer = EventGatherer()
        _ = gatherer.received(event("1"), at: "t", now: time(0))
        _ = gatherer.sent(now: time(1))
        #expect(gatherer.received(event("2"), at: "t", now: time(2)) == .schedule(after: .milliseconds(48)))
        #expect(data(gatherer.ended(now: time(3))) == ["2"])
        #expect(gatherer.due(now: time(50)) == .nothing)
        #expect(gatherer.sent(now: time(60)) == .finish)
    }

    @Test func eachLimitIsToldOnceAndCounted() throws {
        let limits = EventLimits(eventBytes: 1000, eventsPerCall: 5, bytesPerCall: 3000, waitingBytes: 2000)
        var gatherer = EventGatherer(limits)
        #expect(data(gatherer.received(event("0"), at: "t", now: time(0))) == ["0"])
        for _ in 0..<3 {
            #expect(gatherer.received(event(text(1001)), at: "t", now: time(1)) == .nothing)
            for wrong in ["1", "{}", #"{"type":5}"#, #"{"type":""}"#, #"{"type":\#(text(103))}"#] {
                #expect(gatherer.received(try RawJSON(Array(wrong.utf8)), at: "t", now: time(1)) == .nothing)
            }
        }
        // Two warnings and this one are all that may wait.
        _ = gatherer.received(event(text(1000)), at: "t", now: time(2))
        for _ in 0..<4 { _ = gatherer.received(event(text(1000)), at: "t", now: time(2)) }
        guard case .send(let waiting) = gatherer.sent(now: time(100)) else { throw Failed() }
        let messages = waiting.compactMap { $0.data["message"]?.string }
        #expect(messages.count == 3 && messages[0].contains("TROUPE_EVENT_MAX_BYTES"))
        #expect(gatherer.refused == [.tooLarge: 3, .malformed: 15, .tooFast: 4])
        for _ in 0..<20 { _ = gatherer.received(event("1"), at: "t", now: time(101)) }
        #expect(gatherer.taken == 5)
        #expect(gatherer.refused[.tooMany] == 17)
        guard case .send(let rest) = gatherer.sent(now: time(200)) else { throw Failed() }
        #expect(rest.last?.data["message"]?.string?.contains("TROUPE_EVENTS_PER_CALL") == true)
        #expect(rest.count == 4)
    }

    @Test func anyOrderOfEventsSendsAllOnceAndInOrder() throws {
        for seed in 0..<200 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var gatherer = EventGatherer()
            var (now, emitted, sent, timers, isSending, isFinished) = (0, 0, [Int](), [Int](), false, false)
            func perform(_ action: EventGatherer.Action) {
                switch action {
                case .nothing: return
                case .schedule(let delay): timers.append(now + Int(delay.inSeconds * 1000 + 0.5))
                case .send(let events):
                    #expect(!isSending)
                    isSending = true
                    sent += events.compactMap(\.data.integer)
                case .finish: isFinished = true
                }
            }
            let ending = Int.random(in: 100...2000, using: &generator)
            while !isFinished {
                now += Int.random(in: 0...10, using: &generator)
                if let timer = timers.first, timer <= now {
                    timers.removeFirst()
                    perform(gatherer.due(now: time(now)))
                }
                if now < ending, Bool.random(using: &generator) {
                    perform(gatherer.received(event("\(emitted)"), at: "t", now: time(now)))
                    emitted += 1
                }
                if isSending, Int.random(in: 0...5, using: &generator) == 0 {
                    isSending = false
                    perform(gatherer.sent(now: time(now)))
                }
                if now >= ending { perform(gatherer.ended(now: time(now))) }
                try #require(now < 100_000, "seed \(seed): it never ends")
            }
            #expect(sent == Array(0..<emitted), "seed \(seed)")
        }
    }

    struct Failed: Error {}
}
