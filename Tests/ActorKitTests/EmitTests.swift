import Foundation
import Synchronization
import Testing

@testable import ActorKit

@Suite
struct EmitTests {
    private final class Emitted: Sendable {
        private let events = Mutex<[String]>([])
        var list: [String] { events.withLock(\.self) }
        func add(_ event: EmittedEvent) { events.withLock { $0.append("\(event.type) \(event.data)") } }
    }

    @Test func aTestOfAHandlerSeesWhatItEmits() {
        struct Row: Encodable { var name: String, at: Date }
        let emitted = Emitted()
        let context = Context(log: Log(level: .critical)) { emitted.add($0) }
        context.emit("token", "a/\"b")
        context.emit("row", Row(name: "x", at: Date(timeIntervalSince1970: 0)))
        context.emit("raw", .emptyObject)
        context.emit(log: "begins")
        context.emit(log: "hot", level: .warning)
        context.emit(progress: 40)
        context.emit(progress: 200, "all")
        #expect(
            emitted.list == [
                #"token "a/\"b""#, #"row {"at":"1970-01-01T00:00:00Z","name":"x"}"#, "raw {}",
                #"log {"level":"info","message":"begins"}"#, #"log {"level":"warning","message":"hot"}"#,
                #"progress {"percent":40.0}"#, #"progress {"percent":100.0,"message":"all"}"#,
            ])
    }

    @Test func whatCannotBeSentIsLeftOut() {
        let emitted = Emitted()
        let context = Context(log: Log(level: .critical)) { emitted.add($0) }
        context.emit("", "no type")
        context.emit(String(repeating: "x", count: 101), "a long one")
        context.emit("number", Double.nan)
        context.emit(progress: .infinity)
        #expect(emitted.list == [])
        // A context without a call.
        Context().emit("token", "heard by nobody")
    }

    @Test func theServerIsWokenOnceForAllThatWaits() {
        let wakes = Atomic(0)
        let emitter = Emitter(log: Log(level: .critical)) { wakes.add(1, ordering: .relaxed) }
        for number in 0..<10 { emitter.emit(EmittedEvent(type: "t", data: RawJSON(integer: number))) }
        #expect(wakes.load(ordering: .relaxed) == 1)
        let frame = Array(#"{"event":{"type":"t","data":0}}"#.utf8)
        #expect(emitter.take().prefix(4 + frame.count) == ([0, 0, 0, UInt8(frame.count)] + frame)[...])
        #expect(emitter.take() == [])
        emitter.emit(EmittedEvent(type: "t", data: .null))
        #expect(wakes.load(ordering: .relaxed) == 2)
    }

    @Test(arguments: [Emitter.End.over, .gone])
    func afterTheEndNothingIsTaken(_ end: Emitter.End) {
        let emitter = Emitter(log: Log(level: .critical)) {}
        emitter.emit(EmittedEvent(type: "t", data: .null))
        #expect(!emitter.end(end).isEmpty)
        emitter.emit(EmittedEvent(type: "t", data: .null))
        #expect(emitter.take() == [])
    }

    @Test func whatWaitsForASlowSidecarIsBounded() {
        let emitter = Emitter(log: Log(level: .critical)) {}
        let data = RawJSON(string: String(repeating: "x", count: 100_000))
        for _ in 0..<100 { emitter.emit(EmittedEvent(type: "t", data: data)) }
        let taken = emitter.take()
        #expect(taken.count > 900_000 && taken.count <= 1 << 20)
        emitter.emit(EmittedEvent(type: "t", data: data))
        #expect(!emitter.take().isEmpty)
    }
}
