import EventLoops
import Testing

@testable import Dev

struct HandlerMachineTests {
    private let now = MonotonicTime(nanoseconds: 1_000_000_000)

    private func running() -> HandlerMachine {
        var machine = HandlerMachine()
        #expect(machine.begin(now: now) == [.start])
        return machine
    }

    @Test func aSavedChangeReplacesTheProcess() {
        var machine = running()
        #expect(machine.changed(now: now) == [.tell(.restarting), .beginReplacement, .end(within: .seconds(1))])
        // Saved again before it has gone.
        #expect(machine.changed(now: now) == [])
        #expect(machine.ended(.exit(0), now: now) == [.endReplacement, .start])
        #expect(machine.state == .running(since: now))
    }

    @Test func aHungOneIsReplacedAtOnce() {
        var machine = running()
        #expect(machine.hung() == [.beginReplacement, .end(within: .zero)])
        #expect(machine.hung() == [])
        #expect(machine.ended(.signal(9), now: now) == [.endReplacement, .start])
    }

    @Test(arguments: [70, 73, 78])
    func whatCannotStartWaitsForAChange(code: Int32) {
        var machine = running()
        #expect(machine.ended(.exit(code), now: now) == [.tell(.broken)])
        #expect(machine.state == .broken)
        #expect(machine.changed(now: now) == [.tell(.restarting), .start])
    }

    @Test func aCrashIsStartedAgainEachTimeLater() {
        var machine = running()
        var pauses: [Duration] = []
        for _ in 0..<12 {
            guard case .wait(let pause, let number)? = machine.ended(.signal(11), now: now).last else {
                Issue.record("no wait")
                return
            }
            pauses.append(pause)
            // An older timer means nothing.
            #expect(machine.waited(number - 1, now: now) == [])
            #expect(machine.waited(number, now: now) == [.start])
        }
        #expect(pauses[0] <= .milliseconds(200) && pauses[11] >= .seconds(15) && pauses[11] <= .seconds(30))
        // Who has lived for long has not crashed in a row.
        let later = now.advanced(by: .seconds(60))
        guard case .wait(let pause, _)? = machine.ended(.exit(1), now: later).last else {
            Issue.record("no wait")
            return
        }
        #expect(pause <= .milliseconds(200))
        // A change is tried at once.
        #expect(machine.changed(now: later) == [.tell(.restarting), .start])
    }

    @Test func itStopsFromEveryState() {
        var machine = running()
        #expect(machine.stop(grace: .seconds(2)) == [.end(within: .seconds(2))])
        #expect(machine.changed(now: now) == [])
        #expect(machine.ended(.signal(15), now: now) == [.finished])
        #expect(machine.stop(grace: .zero) == [.finished])

        machine = running()
        _ = machine.changed(now: now)
        #expect(machine.stop(grace: .zero) == [.end(within: .zero)])
        #expect(machine.ended(.exit(0), now: now) == [.finished])

        machine = running()
        _ = machine.ended(.exit(78), now: now)
        #expect(machine.stop(grace: .zero) == [.finished])

        machine = running()
        guard case .wait(_, let number)? = machine.ended(.exit(1), now: now).last else {
            Issue.record("no wait")
            return
        }
        #expect(machine.stop(grace: .zero) == [.finished])
        #expect(machine.waited(number, now: now) == [])
    }

    @Test func whereNoProcessCanBeStartedItIsTriedAgain() {
        var machine = running()
        guard case .wait(_, let number)? = machine.notStarted().last else {
            Issue.record("no wait")
            return
        }
        #expect(machine.waited(number, now: now) == [.start])
    }
}
