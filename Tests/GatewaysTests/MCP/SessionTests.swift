import Envelopes
import EventLoops
import Testing

@testable import Gateways

@Suite("MCP: sessions")
struct SessionTests {
    private func machine() -> SessionMachine { SessionMachine(ToolCatalogue()) }
    private let silent = CallProgress(token: nil, logLevel: nil)

    private func id(_ number: Int) -> RawJSON { RawJSON(integer: number) }

    @Test("a call's id is its own while it is under way; cancelling finds it once")
    func calls() {
        var machine = machine()
        let call = machine.begin(id(7), envelopeID: "e", tool: "t", progress: silent)
        #expect(machine.isInUse(id(7)))
        #expect(!machine.isInUse(RawJSON(string: "7")))
        #expect(machine.cancel(id(8)) == nil)
        #expect(machine.cancel(id(7))?.envelopeID == "e")
        #expect(machine.isCancelled(call.number))
        #expect(machine.cancel(id(7)) == nil)
        #expect(!machine.isInUse(id(7)))

        let second = machine.begin(id(7), envelopeID: "f", tool: "t", progress: silent)
        #expect(second.number != call.number)
        machine.end(second.number)
        #expect(machine.cancel(id(7)) == nil, "it has its answer")
    }

    @Test("calls that can be resumed are bounded; those under way are the last to go")
    func bounds() {
        var machine = machine()
        let first = machine.begin(id(0), envelopeID: "e0", tool: "t", progress: silent)
        for number in 1...(SessionMachine.callLimit + 10) {
            let call = machine.begin(id(number), envelopeID: "e\(number)", tool: "t", progress: silent)
            machine.end(call.number)
        }
        #expect(machine.calls.count == SessionMachine.callLimit)
        #expect(machine.calls[first.number] != nil)
        for number in 1000...(1000 + SessionMachine.callLimit) {
            _ = machine.begin(id(number), envelopeID: "e\(number)", tool: "t", progress: silent)
        }
        #expect(machine.calls.count == SessionMachine.callLimit)
        #expect(!machine.isCancelled(first.number), "forgotten is not cancelled")
    }

    @Test("messages have places, and the last of them can be had again")
    func messages() throws {
        var machine = machine()
        for number in 1...150 { #expect(machine.send(id(number)).number == number) }
        #expect(machine.sent(after: 148).map(\.eventID.description) == ["0-149", "0-150"])
        #expect(machine.sent(after: 0).count == 100)
        #expect(machine.sent(after: 150).isEmpty)
        #expect(machine.lastPlace == 150)
        #expect(SessionMachine.EventID("3-1042") == SessionMachine.EventID(stream: 3, place: 1042))
        for text in ["", "3", "3-", "-1-2", "3-4-5", "a-b", "99999999999999999999-1"] {
            #expect(SessionMachine.EventID(text) == nil)
        }
    }

    private static func catalogue(_ text: String) throws -> ToolCatalogue {
        try ToolCatalogue.parse("tools: [{name: t, route: [a]}]\n" + text)
    }

    @Test("news are what differs from what was told, each told once")
    func watch() throws {
        let before = try Self.catalogue("")
        let after = try Self.catalogue("prompts: [{name: p, messages: [{text: x}]}]")
        var watch = ChangeWatch(lists: [.tools, .prompts], before)
        watch.add(.envelope("e", last: 10))
        watch.add(task: "e", last: 10)
        watch.add(task: "t", last: 1)
        #expect(watch.envelopeIDs == ["e", "t"])
        #expect(watch.look(lastChanges: ["e": 10, "t": 1], catalogue: before) == [])
        #expect(
            watch.look(lastChanges: ["e": 11, "t": 1], catalogue: before) == [
                .resource("troupe://envelopes/e"), .task("e"),
            ])
        #expect(watch.movedTasks(["e": 15, "t": 1]) == ["e"])
        #expect(
            watch.look(lastChanges: ["e": 15, "t": 2], catalogue: after) == [
                .list(.prompts), .resource("troupe://envelopes/e"), .task("e"), .task("t"),
            ])
        #expect(watch.look(lastChanges: ["e": 15, "t": 2], catalogue: after) == [])
        watch.remove(envelope: "e")
        // A clock that was set back hides nothing.
        #expect(watch.look(lastChanges: ["e": 14], catalogue: after) == [.task("e")])
        watch.remove(task: "e")
        #expect(watch.look(lastChanges: ["e": 17], catalogue: after) == [])
        var other = ChangeWatch(lists: [], before)
        #expect(other.look(lastChanges: ["e": 1], catalogue: after) == [], "nobody asked")
    }

    @Test("a document that changes is news to those who have subscribed to it, one that comes or goes to all")
    func documents() throws {
        let one = try Self.catalogue("resources: [{uri: 'd://1', text: a}]")
        let changed = try Self.catalogue("resources: [{uri: 'd://1', text: b}]")
        let two = try Self.catalogue("resources: [{uri: 'd://1', text: b}, {uri: 'd://{n}', text: '{n}'}]")
        var watch = ChangeWatch(lists: [.resources], one)
        watch.add(.document("d://1"))
        watch.add(.document("d://2"))
        #expect(watch.resourceCount == 2)
        #expect(watch.look(lastChanges: [:], catalogue: changed) == [.resource("d://1")])
        #expect(watch.look(lastChanges: [:], catalogue: two) == [.list(.resources), .resource("d://2")])
        #expect(watch.look(lastChanges: [:], catalogue: two) == [])
        #expect(watch.remove(document: "d://2") && !watch.remove(document: "d://2"))
        #expect(watch.look(lastChanges: [:], catalogue: one) == [.list(.resources), .resource("d://1")])
    }

    @Test("subscriptions are bounded, and a second one to the same changes nothing")
    func subscriptions() throws {
        var machine = machine()
        for number in 0..<SessionMachine.resourceLimit { try machine.subscribe(.envelope("e\(number)", last: 5)) }
        try machine.subscribe(.envelope("e0", last: 9))
        #expect(
            machine.look(lastChanges: ["e0": 7], catalogue: ToolCatalogue()) == [.resource("troupe://envelopes/e0")])
        #expect(throws: SessionMachine.TooManyResources.self) { try machine.subscribe(.envelope("other", last: 0)) }
        #expect(throws: SessionMachine.TooManyResources.self) { try machine.subscribe(.document("d://1")) }
        machine.unsubscribe(envelope: "e0")
        try machine.subscribe(.document("d://1"))
    }

    @Test("a task is watched until its call is forgotten")
    func tasks() {
        var machine = machine()
        let call = machine.begin(id(0), envelopeID: "e0", tool: "t", progress: silent)
        machine.end(call.number)
        machine.watch(task: "e0", last: 1)
        #expect(machine.watch.envelopeIDs == ["e0"])
        for number in 1...SessionMachine.callLimit {
            _ = machine.begin(id(number), envelopeID: "e\(number)", tool: "t", progress: silent)
        }
        #expect(machine.watch.envelopeIDs.isEmpty)
    }

    @Test("progress only grows, messages have their level")
    func progress() throws {
        func update(_ percent: Double, _ status: EnvelopeStatus = .running) -> EnvelopeUpdate {
            EnvelopeUpdate(
                id: 1, envelopeID: "e", status: status, message: "m", percent: percent, actors: [], timestamp: 0)
        }
        var progress = CallProgress(token: RawJSON(string: "p"), logLevel: nil)
        let told = [0, 10, 5, 10, 50].flatMap { progress.notifications(for: update($0)) }
        #expect(told.map { $0["params"]?["progress"]?.integer } == [0, 10, 50])
        #expect(
            told[0].description.hasPrefix(
                #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","#))

        var log = CallProgress(token: nil, logLevel: .warning)
        let logged = [EnvelopeStatus.running, .retrying, .failed].flatMap { log.notifications(for: update(0, $0)) }
        #expect(logged.map { $0["params"]?["level"]?.string } == ["warning", "error"])
        var silent = silent
        #expect(silent.notifications(for: update(0, .failed)).isEmpty)
    }

    // MARK: The table

    @Test("sessions are bounded: the one that was used longest ago makes room, never one with a stream")
    func table() throws {
        let table = SessionTable(limit: 2, idleLimit: .seconds(60))
        let start = MonotonicTime.now
        func after(_ seconds: Int) -> MonotonicTime { start.advanced(by: .seconds(seconds)) }
        let first = try #require(table.open(.june2025, of: "me", ToolCatalogue(), now: start))
        let second = try #require(table.open(.june2025, of: "me", ToolCatalogue(), now: start))
        #expect(first.id.count == 32 && first.id != second.id)
        first.use(at: after(1))
        second.use(at: after(2))
        let third = try #require(table.open(.june2025, of: "me", ToolCatalogue(), now: after(3)))
        #expect(table.find(first.id, of: "me", now: after(3)) == nil)
        #expect(table.find(second.id, of: "me", now: after(3)) === second)
        #expect(table.find(second.id, of: "somebody else", now: after(3)) == nil)
        #expect(table.find(second.id, of: nil, now: after(3)) == nil)

        let wake = AsyncStream.makeStream(of: Void.self).continuation
        let holds = [second.hold(0, wake), third.hold(0, wake)]
        #expect(table.open(.june2025, of: "me", ToolCatalogue(), now: after(1000)) == nil)
        #expect(table.find(second.id, of: "me", now: after(1000)) === second)
        second.release(holds[0])
        third.release(holds[1])
        second.use(at: after(1001))
        third.use(at: after(1002))
        #expect(table.find(second.id, of: "me", now: after(1062)) == nil, "too old")
        #expect(table.count == 1)
        #expect(table.close(third.id))
        #expect(!table.close(third.id))
        #expect(!third.isHeld(holds[1]))
    }

    @Test("a stream's place has one holder, and the last one it is")
    func holds() {
        let session = Session(id: "s", owner: nil, version: .june2025, ToolCatalogue())
        let (_, wake) = AsyncStream.makeStream(of: Void.self)
        let first = session.hold(3, wake)
        #expect(session.isHeld(first))
        let second = session.hold(3, wake)
        #expect(!session.isHeld(first))
        session.release(first)
        #expect(session.isHeld(second), "who was replaced gives nothing up")
        session.release(second)
        #expect(!session.isHeld(second))
    }
}
