import EventLoops
import Testing

@testable import Gateways

@Suite("Update stream machine")
struct UpdateStreamMachineTests {
    private func time(_ seconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test("history, then live, then the end")
    func life() {
        var machine = UpdateStreamMachine(after: 0, quietLimit: .seconds(10), now: time(0))
        #expect(machine.woken() == .read(after: 0))
        #expect(
            machine.sent(.init(ids: [3, 5], isFull: true, isFinal: false), now: time(0))
                == .read(after: 5))
        #expect(machine.sent(.init(ids: [6], isFull: false, isFinal: false), now: time(0)) == .wait)
        #expect(machine.woken() == .read(after: 6))
        #expect(machine.sent(.init(ids: [9], isFull: false, isFinal: true), now: time(1)) == .finish)
    }

    @Test("an envelope that ended before the asked-for event closes at once")
    func alreadyFinal() {
        var machine = UpdateStreamMachine(after: 9, quietLimit: .seconds(10), now: time(0))
        #expect(machine.sent(.init(ids: [], isFull: false, isFinal: true), now: time(0)) == .finish)
    }

    @Test("a page with an end in it that isn't the last is no end")
    func reopened() {
        var machine = UpdateStreamMachine(after: 0, quietLimit: .seconds(10), now: time(0))
        #expect(machine.sent(.init(ids: [1, 2, 3], isFull: false, isFinal: false), now: time(0)) == .wait)
    }

    @Test("a full page of an ended envelope is read on")
    func fullPage() {
        var machine = UpdateStreamMachine(after: 0, quietLimit: .seconds(10), now: time(0))
        #expect(
            machine.sent(.init(ids: [1, 2], isFull: true, isFinal: true), now: time(0))
                == .read(after: 2))
    }

    @Test("silence brings a keep-alive, events put it off, also while the database is away")
    func keepAlive() {
        var machine = UpdateStreamMachine(after: 0, quietLimit: .seconds(10), now: time(0))
        let nothing = UpdateStreamMachine.Page(ids: [], isFull: false, isFinal: false)
        #expect(machine.sent(nothing, now: time(5)) == .wait)
        #expect(machine.sent(.init(ids: [1], isFull: false, isFinal: false), now: time(9)) == .wait)
        #expect(machine.sent(nothing, now: time(15)) == .wait)
        #expect(machine.sent(nothing, now: time(19)) == .sendKeepAlive)
        #expect(machine.sentKeepAlive(now: time(19)) == .wait)
        #expect(machine.databaseIsAway(now: time(20)) == .wait)
        #expect(machine.databaseIsAway(now: time(29)) == .sendKeepAlive)
    }

    @Test("a wake-up without news costs no read, unless the last one could not be read")
    func ticks() {
        var machine = UpdateStreamMachine(after: 3, quietLimit: .seconds(10), now: time(0))
        let nothing = UpdateStreamMachine.Page(ids: [], isFull: false, isFinal: false)
        #expect(machine.ticked(now: time(1)) == .wait)
        #expect(machine.ticked(now: time(10)) == .sendKeepAlive)
        #expect(machine.sentKeepAlive(now: time(10)) == .wait)
        #expect(machine.databaseIsAway(now: time(11)) == .wait)
        #expect(machine.ticked(now: time(12)) == .read(after: 3))
        #expect(machine.sent(nothing, now: time(12)) == .wait)
        #expect(machine.ticked(now: time(13)) == .wait)
    }
}
