import EventLoops
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct WatchTests {
    @Test func callsWhileThereIsSomethingToReadUntilUnwatched() async throws {
        let loop = EventLoop(name: "watch")
        let actor = LoopActor(loop)
        let pipe = try TestPipe()
        let log = Log()
        await actor.run { loop in
            loop.watch(pipe.reader, for: .readable) { readiness in
                log.add("\(readiness.contains(.readable))")
                // Level-triggered: what is not read calls again.
                if log.all.count.isMultiple(of: 3) { pipe.drain() }
            }
        }
        pipe.write()
        try await eventually("three calls") { log.all.count == 3 }
        pipe.write()
        try await eventually("six calls") { log.all.count == 6 }
        await actor.run { loop in
            loop.unwatch(pipe.reader)
            loop.unwatch(pipe.reader)
            loop.rewatch(pipe.reader, for: .readable)
        }
        pipe.write()
        await loop.sleep(for: .milliseconds(20))
        #expect(log.all == Array(repeating: "true", count: 6))
        pipe.close()
    }

    @Test func watchesForWhatItIsToldNext() async throws {
        let loop = EventLoop(name: "rewatch")
        let actor = LoopActor(loop)
        let log = Log()
        var ends: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let (near, far) = (ends[0], ends[1])
        await actor.run { loop in
            loop.watch(near, for: .readable) { readiness in
                if readiness.contains(.writable) { log.add("writable") }
                if readiness.contains(.readable) { log.add("readable") }
                if !readiness.isDisjoint(with: .closed) { log.add("closed") }
                loop.rewatch(near, for: [])
            }
        }
        await loop.sleep(for: .milliseconds(10))
        #expect(log.all == [])
        await actor.run { $0.rewatch(near, for: .writable) }
        try await eventually("it is writable") { log.all == ["writable"] }
        var byte: UInt8 = 1
        #expect(write(far, &byte, 1) == 1)
        await loop.sleep(for: .milliseconds(10))
        #expect(log.all == ["writable"], "nobody asked for reading")
        await actor.run { $0.rewatch(near, for: [.readable, .writable]) }
        try await eventually("both") { log.all == ["writable", "writable", "readable"] }
        close(far)
        // Unasked: the end is always told.
        try await eventually("it is closed") { log.all.contains("closed") }
        await actor.run { $0.unwatch(near) }
        close(near)
    }

    /// Two descriptors become ready at once; the first one's handler gives the other's number to a new file. The event
    /// that is still in hand must not reach the new one's handler.
    @Test(arguments: 0..<20)
    func anEventForAClosedDescriptorDoesNotReachItsSuccessor(round: Int) async throws {
        let loop = EventLoop(name: "reuse")
        let pipes = try [TestPipe(), TestPipe()]
        // Nothing to read there.
        let quiet = try TestPipe()
        let log = Log()
        await LoopActor(loop).run { loop in
            for (number, pipe) in pipes.enumerated() {
                loop.watch(pipe.reader, for: .readable) { _ in
                    log.add("first")
                    let other = pipes[1 - number].reader
                    loop.unwatch(pipe.reader)
                    loop.unwatch(other)
                    // Closes the other and opens a copy of `quiet` under its number.
                    _ = dup2(quiet.reader, other)
                    loop.watch(other, for: .readable) { _ in log.add("successor") }
                }
            }
            for pipe in pipes { pipe.write() }
        }
        try await eventually("the first") { !log.all.isEmpty }
        await loop.sleep(for: .milliseconds(10))
        #expect(log.all == ["first"])
        loop.stop()
    }
}
