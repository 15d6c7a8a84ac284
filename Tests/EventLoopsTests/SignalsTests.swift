import EventLoops
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct SignalsTests {
    /// On the loop's own thread: other threads of the test program keep their masks, and would die of the signal.
    @Test func signalsArriveAsEvents() async throws {
        let loop = EventLoop(name: "signals")
        let actor = LoopActor(loop)
        await actor.run { _ in Signals.block([SIGUSR1, SIGUSR2]) }
        let log = Log()
        let arrivals = Signals.arrivals(of: [SIGUSR1, SIGUSR2], on: loop)
        let listener = Task { for await signal in arrivals { log.add("\(signal)") } }
        for signal in [SIGUSR1, SIGUSR2, SIGUSR1] {
            let before = log.all.count
            await actor.run { _ in _ = pthread_kill(pthread_self(), signal) }
            try await eventually("signal \(signal)") { log.all.count == before + 1 }
        }
        #expect(log.all == ["\(SIGUSR1)", "\(SIGUSR2)", "\(SIGUSR1)"])
        listener.cancel()
    }
}
