import EventLoops
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct BlockingThreadTests {
    @Test func leavesTheLoopAlone() async throws {
        let loop = EventLoop(name: "responsive")
        let signal = DispatchSemaphore(value: 0)
        // Comes back only when the loop does something else meanwhile.
        let blocked = Task(executorPreference: loop) {
            await BlockingThread.run { () -> Bool in
                signal.wait()
                return !loop.isCurrent
            }
        }
        let other = Task(executorPreference: loop) { _ = signal.signal() }
        await other.value
        #expect(try await within(.seconds(60), "the thread's value") { await blocked.value })
    }

    @Test func manyAtATime() async {
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 0..<100 {
                group.addTask {
                    await BlockingThread.run {
                        usleep(1000)
                        return number
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 4950)
    }
}
