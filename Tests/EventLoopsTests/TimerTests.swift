import Synchronization
import TestSupport
import Testing

@testable import EventLoops

@Suite(.timeLimit(.minutes(2)))
struct TimerTests {
    @Test(arguments: 0..<10)
    func fireInTheOrderOfTheirTimesAndNeverEarly(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let delays = [-5, 0] + (0..<100).map { _ in Int.random(in: 0...20, using: &generator) }
        let loop = EventLoop(name: "timers")
        let fired = Mutex<[(number: Int, at: MonotonicTime)]>([])
        let set = Mutex<[(before: MonotonicTime, after: MonotonicTime)]>([])
        await LoopActor(loop).run { loop in
            for (number, delay) in delays.enumerated() {
                let before = MonotonicTime.now
                loop.schedule(after: .milliseconds(delay)) { fired.withLock { $0.append((number, .now)) } }
                set.withLock { $0.append((before, .now)) }
            }
        }
        try await eventually("all timers") { fired.withLock { $0.count } == delays.count }
        let (order, times) = (fired.withLock { $0 }, set.withLock { $0 })
        #expect(Set(order.map(\.number)).count == delays.count)
        // When each was due lies between two moments; who was certainly due before another must have fired before it.
        let due = zip(times, delays).map { time, delay in
            (time.before.advanced(by: .milliseconds(delay)), time.after.advanced(by: .milliseconds(delay)))
        }
        for (index, (number, at)) in order.enumerated() {
            #expect(at >= due[number].0, "timer \(number) fired early")
            for (later, _) in order[index...] { #expect(due[later].1 >= due[number].0, "\(later) after \(number)") }
        }
        loop.stop()
    }

    @Test func thoseOfOneMomentFireAsTheyWereSet() async throws {
        let loop = EventLoop(name: "moment")
        let log = Log()
        await LoopActor(loop).run { loop in
            for number in 0..<100 { loop.schedule(after: .zero) { log.add("\(number)") } }
        }
        try await eventually("all timers") { log.all.count == 100 }
        #expect(log.all == (0..<100).map(String.init))
    }

    @Test func cancelledOnesNeverFire() async throws {
        let loop = EventLoop(name: "cancelled")
        let log = Log()
        await LoopActor(loop).run { loop in
            // Enough that the cancelled are swept out.
            var timers: [EventLoop.Timer] = []
            for number in 0..<2000 {
                timers.append(loop.schedule(after: .milliseconds(number % 7)) { log.add("\(number)") })
            }
            for (number, timer) in timers.enumerated() where !number.isMultiple(of: 100) {
                loop.cancel(timer)
                loop.cancel(timer)
            }
            // Cancelled by the one before it, when both are due.
            var victim: EventLoop.Timer?
            loop.schedule(after: .milliseconds(8)) {
                if let victim { loop.cancel(victim) }
            }
            victim = loop.schedule(after: .milliseconds(8)) { log.add("victim") }
            loop.schedule(after: .milliseconds(30)) { log.add("last") }
        }
        try await eventually("the last") { log.all.contains("last") }
        #expect(log.all.last == "last")
        #expect(log.all.compactMap(Int.init).sorted() == Array(stride(from: 0, to: 2000, by: 100)))
        #expect(log.all.count == 21)
    }

    @Test func cancellingOneThatHasFiredIsNothing() async throws {
        let loop = EventLoop(name: "fired")
        let log = Log()
        let actor = LoopActor(loop)
        let timer = await actor.run { $0.schedule(after: .zero) { log.add("first") } }
        try await eventually("it fires") { log.all == ["first"] }
        await actor.run { loop in
            loop.cancel(timer)
            loop.schedule(after: .zero) { log.add("second") }
        }
        try await eventually("the next fires") { log.all == ["first", "second"] }
    }

    @Test func oneThatSetsItselfAgainLeavesRoomForOthers() async throws {
        let loop = EventLoop(name: "again")
        let again = Again(loop)
        let log = Log()
        await LoopActor(loop).run { _ in again.set() }
        Task(executorPreference: loop) { log.add("job") }
        try await eventually("a job has its turn") { log.all == ["job"] }
        again.isOver.store(true, ordering: .relaxed)
    }

    private final class Again: Sendable {
        let loop: EventLoop
        let isOver = Atomic(false)
        init(_ loop: EventLoop) { self.loop = loop }
        func set() { if !isOver.load(ordering: .relaxed) { loop.schedule(after: .zero) { self.set() } } }
    }

    // MARK: Sleep

    @Test func sleepsAsLongAsItSays() async {
        let loop = EventLoop(name: "sleep")
        for milliseconds in [0, 1, 2, 5, 17] {
            let begin = MonotonicTime.now
            await loop.sleep(for: .milliseconds(milliseconds))
            #expect(begin.duration(to: .now) >= .milliseconds(milliseconds))
        }
    }

    @Test func aCancelledSleepEnds() async throws {
        let loop = EventLoop(name: "sleep")
        let sleepers = (0..<50).map { number in
            Task(executorPreference: number.isMultiple(of: 2) ? loop : nil) {
                await loop.sleep(for: .seconds(100_000))
            }
        }
        for (number, sleeper) in sleepers.enumerated() {
            // Some before they sleep, some while they do.
            if number.isMultiple(of: 3) { try await Task.sleep(for: .milliseconds(1)) }
            sleeper.cancel()
        }
        try await within(.seconds(60), "the end of all sleep") { for sleeper in sleepers { await sleeper.value } }
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await loop.sleep(for: .seconds(100_000))
        }
        try await within(.seconds(60), "the end of a sleep that never began") { await cancelled.value }
    }
}
