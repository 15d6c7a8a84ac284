import EventLoops
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct ExecutorTests {
    @Test func actorsOfALoopShareItsThread() async {
        let loop = EventLoop(name: "shared")
        let (one, other) = (LoopActor(loop), LoopActor(loop))
        #expect(!loop.isCurrent)
        let threads = await [one.run { _ in pthread_self() }, other.run { _ in pthread_self() }]
        #expect(threads[0] == threads[1])
        #expect(await one.run { $0.isCurrent })
        #expect(await Task(executorPreference: loop) { loop.isCurrent }.value)
        let elsewhere = LoopActor(EventLoop(name: "other"))
        #expect(await elsewhere.run { _ in pthread_self() } != threads[0])
        #expect(await elsewhere.run { _ in loop.isCurrent } == false)
    }

    @Test func jobsFromManyThreadsAllRunOneAtATime() async {
        let loops = (0..<3).map { EventLoop(name: "many \($0)") }
        let actors = loops.map { LoopActor($0) }
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<60 {
                // Some from the shared threads, some from loop to loop.
                group.addTask(executorPreference: task.isMultiple(of: 2) ? nil : loops[task % 3]) {
                    for round in 0..<200 { await actors[(task + round) % 3].increment() }
                }
            }
        }
        var total = 0
        for actor in actors { total += await actor.count }
        #expect(total == 60 * 200)
    }

    @Test func jobsKeepTheOrderInWhichTheyCame() async throws {
        let loop = EventLoop(name: "order")
        let log = Log()
        await LoopActor(loop).run { loop in
            for number in 0..<100 { Task(executorPreference: loop) { log.add("\(number)") } }
        }
        try await eventually("all have run") { log.all.count == 100 }
        #expect(log.all == (0..<100).map(String.init))
    }

    @Test func theEndOfTheTurnComesAfterAllThatIsReady() async throws {
        let loop = EventLoop(name: "turn")
        let log = Log()
        await LoopActor(loop).run { loop in
            loop.atEndOfTurn {
                log.add("end")
                loop.atEndOfTurn { log.add("next end") }
            }
            loop.atEndOfTurn { log.add("end too") }
            for number in 0..<3 {
                Task(executorPreference: loop) {
                    log.add("\(number)")
                    Task(executorPreference: loop) { log.add("\(number) again") }
                }
            }
            log.add("job")
        }
        try await eventually("the next end") { log.all.contains("next end") }
        #expect(
            log.all == ["job", "0", "1", "2", "0 again", "1 again", "2 again", "end", "end too", "next end"])
    }

    /// A queue that never empties must not keep timers and sockets waiting.
    @Test func aBusyQueueStarvesNobody() async throws {
        let loop = EventLoop(name: "busy")
        let busy = (0..<5).map { _ in
            Task(executorPreference: loop) { while !Task.isCancelled { await Task.yield() } }
        }
        let log = Log()
        let pipe = try TestPipe()
        await LoopActor(loop).run { loop in
            loop.schedule(after: .milliseconds(1)) { log.add("timer") }
            loop.watch(pipe.reader, for: .readable) { _ in
                loop.unwatch(pipe.reader)
                log.add("socket")
            }
            loop.atEndOfTurn { log.add("end of turn") }
        }
        pipe.write()
        try await eventually("timer, socket and end of turn") { Set(log.all).count == 3 }
        for task in busy { task.cancel() }
    }

    @Test func stoppingRunsWhatIsThereAndLetsTheLoopGo() async throws {
        let log = Log()
        weak var gone: EventLoop?
        do {
            let loop = EventLoop(name: "stopping")
            gone = loop
            await LoopActor(loop).run { loop in
                loop.stop()
                for number in 0..<3 { Task(executorPreference: loop) { log.add("\(number)") } }
            }
        }
        try await eventually("the jobs have run") { log.all == ["0", "1", "2"] }
        try await eventually("the thread has ended") { gone == nil }
    }
}
