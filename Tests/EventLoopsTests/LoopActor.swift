import EventLoops
import Synchronization

/// An actor on a loop, to run what must run there.
actor LoopActor {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private(set) var count = 0

    init(_ loop: EventLoop) { self.loop = loop }

    func run<Value: Sendable>(_ body: @Sendable (EventLoop) throws -> Value) rethrows -> Value { try body(loop) }

    func increment() { count += 1 }
}

/// What happened, in its order.
final class Log: Sendable {
    private let entries = Mutex<[String]>([])
    var all: [String] { entries.withLock { $0 } }
    func add(_ entry: String) { entries.withLock { $0.append(entry) } }
}
