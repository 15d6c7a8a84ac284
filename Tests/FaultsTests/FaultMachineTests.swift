import Envelopes
import EventLoops
import Settings
import Testing

@testable import Faults

struct FaultMachineTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private func after(_ seconds: Double) -> MonotonicTime { start.advanced(by: .seconds(seconds)) }

    private func machine(_ bounds: FaultBounds = FaultBounds(), _ texts: String...) throws -> FaultMachine {
        var machine = FaultMachine(actor: "a", bounds: bounds)
        for (number, text) in texts.enumerated() {
            let one = try fault(text, id: "f\(number)", now: Int64(number), bounds: FaultBounds())
            _ = machine.told([FaultState(one)], wallClock: Int64(number), now: start)
        }
        return machine
    }

    // MARK: News

    @Test("it ends by its own clock, whether anybody tells or not")
    func expiry() throws {
        var machine = try machine(FaultBounds(), #"{"kind":"error","actor":"a","duration":"10s"}"#)
        #expect(machine.nextEnd == after(10))
        #expect(machine.plan(for: Headers(), now: after(9.9)).interruption != nil)
        // Also where the timer is late.
        #expect(machine.plan(for: Headers(), now: after(10)).isEmpty)
        let changes = machine.expire(now: after(10))
        #expect(changes.count == 1 && machine.nextEnd == nil && !machine.isActive("f0"))
    }

    @Test("news may come twice, late, and in the wrong order")
    func news() throws {
        let one = try fault(#"{"kind":"error","actor":"a","duration":"10s"}"#)
        var machine = FaultMachine(actor: "a", bounds: FaultBounds())
        #expect(machine.told([FaultState(one)], wallClock: 0, now: start) == [.began(one)])
        #expect(machine.told([FaultState(one)], wallClock: 1_000_000, now: after(1)).isEmpty)
        #expect(machine.nextEnd == after(10), "being told again makes it no longer")
        #expect(
            machine.told([FaultState(one, isReset: true)], wallClock: 2_000_000, now: after(2))
                == [.ended(one, isReset: true)])
        // A telling that the reset has overtaken.
        #expect(machine.told([FaultState(one)], wallClock: 3_000_000, now: after(3)).isEmpty)
        #expect(!machine.isActive("f"))

        var other = FaultMachine(actor: "a", bounds: FaultBounds())
        #expect(other.told([FaultState(one, isReset: true)], wallClock: 0, now: start).isEmpty)
        #expect(other.told([FaultState(one)], wallClock: 0, now: start).isEmpty, "it was reset before it was heard of")
        #expect(other.told([FaultState(one)], wallClock: 11_000_000, now: start).isEmpty)
    }

    @Test("clocks that differ let none last longer than it was meant to")
    func clocks() throws {
        let one = try fault(#"{"kind":"error","actor":"a","duration":"10s"}"#, now: 3_600_000_000)
        var machine = FaultMachine(actor: "a", bounds: FaultBounds())
        // Ours is an hour behind the gateway's.
        #expect(machine.told([FaultState(one)], wallClock: 0, now: start) == [.began(one)])
        #expect(machine.nextEnd == after(10))
        _ = machine.expire(now: after(10))
        #expect(machine.told([FaultState(one)], wallClock: 10_000_000, now: after(10)).isEmpty, "it has been here")
        // A replica that starts late has what is left.
        var late = FaultMachine(actor: "a", bounds: FaultBounds())
        _ = late.told([FaultState(one)], wallClock: 3_607_000_000, now: start)
        #expect(late.nextEnd == after(3))
    }

    @Test("only those for this actor, and no more and no worse than the bounds")
    func bounds() throws {
        var bounds = FaultBounds()
        bounds.active = 2
        bounds.latency = .seconds(5)
        bounds.duration = .seconds(20)
        var machine = try machine(bounds, #"{"kind":"drop","actor":"b"}"#, #"{"kind":"drop","actor":"*"}"#)
        #expect(!machine.isActive("f0") && machine.isActive("f1"))
        #expect(machine.nextEnd == after(20), "the sidecar's own bound")
        let slow = try fault(#"{"kind":"latency","actor":"a","delay":"6s"}"#, id: "slow")
        guard case .refused("slow", let reason)? = machine.told([FaultState(slow)], wallClock: 0, now: start).first
        else {
            Issue.record("it is not refused")
            return
        }
        #expect(reason.contains("TROUPE_FAULTS_MAX_LATENCY"))
        for name in ["x", "y"] {
            let one = try fault(#"{"kind":"error","actor":"a"}"#, id: name)
            _ = machine.told([FaultState(one)], wallClock: 0, now: start)
        }
        #expect(machine.isActive("x") && !machine.isActive("y"))
    }

    // MARK: Calls

    @Test("the same seed strikes the same calls, another one others, and actors are not struck in step")
    func seeds() throws {
        func strikes(_ seed: Int, _ actor: String = "a", beside other: Bool = false) throws -> [Bool] {
            var machine = FaultMachine(actor: actor, bounds: FaultBounds())
            let one = try fault(#"{"kind":"error","actor":"*","probability":0.3,"seed":\#(seed)}"#)
            let two = try fault(#"{"kind":"latency","actor":"*","probability":0.5}"#, id: "g", seed: 99)
            _ = machine.told([FaultState(one)] + (other ? [FaultState(two)] : []), wallClock: 0, now: start)
            return (0..<1000).map { _ in machine.plan(for: Headers(), now: start).interruption != nil }
        }
        #expect(try strikes(1) == strikes(1))
        #expect(try strikes(1) == strikes(1, beside: true), "whatever other faults there are")
        #expect(try strikes(1) != strikes(2))
        #expect(try strikes(1) != strikes(1, "b"))
        #expect(try (240...360).contains(strikes(1).count { $0 }))
    }

    @Test("several at once: delays add up, one interruption is enough, and then there is no result to change")
    func several() throws {
        var machine = try machine(
            FaultBounds(), #"{"kind":"latency","actor":"a","delay":"1s"}"#,
            #"{"kind":"bad_data","actor":"a","times":1}"#, #"{"kind":"cpu","actor":"a"}"#,
            #"{"kind":"timeout","actor":"*","times":1}"#, #"{"kind":"error","actor":"a","times":1}"#,
            #"{"kind":"latency","actor":"a","delay":"2s"}"#)
        let first = machine.plan(for: Headers(), now: start)
        #expect(first.delays.map(\.id) == ["f0", "f5"] && first.burdens.map(\.id) == ["f2"])
        #expect(first.interruption?.id == "f3" && first.corruptions.isEmpty)
        let second = machine.plan(for: Headers(), now: start)
        #expect(second.interruption?.id == "f4", "its turn was not used up by the first call")
        let third = machine.plan(for: Headers(), now: start)
        #expect(third.interruption == nil && third.corruptions.map(\.fault.id) == ["f1"])
        #expect(machine.plan(for: Headers(), now: start).corruptions.isEmpty)
    }

    @Test("delays of one call together stay within the bound, and a connection is lost only where it may be")
    func limits() throws {
        var machine = try machine(
            FaultBounds(), #"{"kind":"latency","actor":"a","delay":"40s"}"#,
            #"{"kind":"latency","actor":"a","delay":"30s"}"#, #"{"kind":"drop","actor":"a"}"#)
        #expect(machine.plan(for: Headers(), mayDrop: false, now: start).delays.map(\.id) == ["f0"])
        #expect(machine.plan(for: Headers(), mayDrop: false, now: start).interruption == nil)
        #expect(machine.plan(for: Headers(), now: start).interruption?.id == "f2")
    }

    @Test("the bounds are settings, and off is the default")
    func settings() throws {
        var settings = Settings(environment: [:])
        #expect(FaultBounds.reading(&settings) == nil && settings.problems.isEmpty)
        settings = Settings(environment: [
            "TROUPE_FAULTS_ENABLED": "true", "TROUPE_FAULTS_MAX_LATENCY": "5s", "TROUPE_FAULTS_MAX_CPU": "2s",
            "TROUPE_FAULTS_MAX_MEMORY": "1000", "TROUPE_FAULTS_MAX_DURATION": "1m", "TROUPE_FAULTS_MAX_ACTIVE": "3",
        ])
        let bounds = try #require(FaultBounds.reading(&settings))
        #expect(bounds.latency == .seconds(5) && bounds.cpu == .seconds(2) && bounds.memory == 1000)
        #expect(bounds.duration == .seconds(60) && bounds.active == 3)
        settings = Settings(environment: ["TROUPE_FAULTS_ENABLED": "perhaps", "TROUPE_FAULTS_MAX_ACTIVE": "0"])
        #expect(FaultBounds.reading(&settings) == nil && settings.problems.count == 2)
    }
}
