import AMQP
import EventLoops
import Glibc
import Synchronization
import TestSupport
import Testing

/// Against a broker that stalls, falls silent or talks nonsense.
@Suite(.timeLimit(.minutes(3)))
struct BadDayTests {
    static func message(_ number: Int, size: Int, id: String? = nil) -> Publisher.Message {
        Publisher.Message(
            exchange: "x", routingKey: "k", messageID: id ?? "m\(number)", body: [UInt8](repeating: 65, count: size))
    }

    static func publisher(
        at broker: FakeBroker, heartbeat: Int = 0, on loop: EventLoop,
        onEnd: @escaping @Sendable (AMQPError) -> Void = { _ in }
    ) async throws -> Publisher {
        let publisher = try await Publisher.open(
            broker.endpoint(heartbeat: heartbeat), on: loop, setUp: { _ in }, onEnd: onEnd)
        await publisher.start()
        return publisher
    }

    /// A loop that still turns answers soon; a blocked one not before the broker reads again.
    static func turns(_ loop: EventLoop, _ when: String) async throws {
        let probe = Probe()
        Task(executorPreference: loop) { probe.answered() }
        try await eventually("a turn of the loop \(when)", within: .seconds(10)) { probe.isAnswered }
    }

    /// Not a task's value: nobody may have to wait for a task of a blocked loop.
    private final class Probe: Sendable {
        private let flag = Atomic(false)
        var isAnswered: Bool { flag.load(ordering: .relaxed) }
        func answered() { flag.store(true, ordering: .relaxed) }
    }

    @Test(arguments: [300_000, 1000])
    func aStalledBrokerDoesNotBlockTheLoop(size: Int) async throws {
        let broker = try await FakeBroker()
        let loop = EventLoop(name: "stalled")
        let publisher = try await Self.publisher(at: broker, on: loop)
        try await broker.tell("stall")
        // Several times what all buffers on the way hold.
        let count = 3_000_000 / size
        let outcomes = Mutex<[Publisher.Outcome]>([])
        let all = Task {
            await withTaskGroup(of: Publisher.Outcome.self) { group in
                for number in 0..<count {
                    group.addTask { await publisher.publish(Self.message(number, size: size)) }
                }
                for await outcome in group { outcomes.withLock { $0.append(outcome) } }
            }
        }
        // Every turn brings some more publishes.
        for turn in 0..<20 {
            try await Task.sleep(for: .milliseconds(20))
            try await Self.turns(loop, "while the broker is stalled (\(turn))")
        }
        try await eventually("all are published") { await publisher.backlog > count * 9 / 10 }
        try await Self.turns(loop, "when all are published")
        #expect(outcomes.withLock { $0.isEmpty })
        try await broker.tell("resume")
        try await within(.seconds(60), "all confirms") { await all.value }
        #expect(outcomes.withLock { $0 } == Array(repeating: .confirmed, count: count))
        await publisher.close()
    }

    @Test func closingDoesNotWaitForAStalledBroker() async throws {
        let broker = try await FakeBroker()
        let loop = EventLoop(name: "closing")
        let publisher = try await Self.publisher(at: broker, on: loop)
        try await broker.tell("stall")
        let outcome = Task { await publisher.publish(Self.message(0, size: 8_000_000)) }
        try await eventually("the publish is under way") { await publisher.backlog == 1 }
        try await within(.seconds(10), "the end of close()") { await publisher.close() }
        #expect(await outcome.value == .lost(AMQPError(.connectionLost, "the connection was closed")))
    }

    @Test func noticesABrokerThatHasFallenSilent() async throws {
        let broker = try await FakeBroker()
        let loop = EventLoop(name: "silent")
        let (ends, end) = AsyncStream<AMQPError>.makeStream()
        let publisher = try await Self.publisher(at: broker, heartbeat: 1, on: loop) { end.yield($0) }
        let consumed = try await Consumer.open(
            broker.endpoint(heartbeat: 1), queue: "q", prefetch: 1, on: loop, setUp: { _ in },
            handler: { if case .ended(let error) = $0 { end.yield(error) } })
        await consumed.start()
        try await broker.tell("stall")
        try await broker.tell("mute")
        let unconfirmed = Task { await publisher.publish(Self.message(0, size: 10)) }
        var iterator = ends.makeAsyncIterator()
        for _ in 0..<2 {
            let error = await iterator.next()
            #expect(error?.code == .connectionLost)
            #expect(error?.message.contains("heartbeat") == true, "\(String(describing: error))")
        }
        // Not .timeout: that is a publish's own limit, and the connection lives on then.
        guard case .lost(let error) = await unconfirmed.value else { return #expect(Bool(false), "not lost") }
        #expect(error.code == .connectionLost)
        // Both sockets are closed and forgotten: their numbers can be watched again.
        let descriptors = (0..<8).map { _ in socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }
        await Task(executorPreference: loop) {
            for descriptor in descriptors {
                loop.watch(descriptor, for: .readable) { _ in }
                loop.unwatch(descriptor)
            }
        }.value
        for descriptor in descriptors { close(descriptor) }
    }

    @Test func sendsHeartbeatsWhileIdle() async throws {
        let broker = try await FakeBroker()
        let publisher = try await Self.publisher(at: broker, heartbeat: 1, on: EventLoop(name: "idle"))
        for _ in 0..<3 { try await broker.hears("heartbeat") }
        #expect(await publisher.publish(Self.message(0, size: 10)) == .confirmed)
        await publisher.close()
    }

    @Test func aBlockedPublisherWaitsAndKeepsNothingThatNobodyWaitsFor() async throws {
        let broker = try await FakeBroker()
        let publisher = try await Self.publisher(at: broker, on: EventLoop(name: "blocked"))
        try await broker.tell("block")
        try await eventually("the publisher knows") { await publisher.blockedReason == "low on patience" }
        let waits = Task { await publisher.publish(Self.message(0, size: 11)) }
        let givesUp = await publisher.publish(Self.message(1, size: 12), timeout: .milliseconds(50))
        #expect(givesUp == .lost(AMQPError(.timeout, "no confirm within 0.05 seconds")))
        #expect(await publisher.backlog == 1)
        try await broker.tell("unblock")
        #expect(await waits.value == .confirmed)
        #expect(await publisher.blockedReason == nil)
        #expect(await publisher.publish(Self.message(2, size: 13)) == .confirmed)
        try await broker.hears("published 11")
        try await broker.hears("published 13")
        #expect(!broker.hasSaid("published 12"))
        await publisher.close()
    }

    @Test func whatAMQPCannotCarryCostsNobodyTheConnection() async throws {
        let broker = try await FakeBroker()
        let publisher = try await Self.publisher(at: broker, on: EventLoop(name: "long"))
        let long = String(repeating: "ä", count: 128)
        for message in [
            Publisher.Message(exchange: long, routingKey: "k", messageID: "m", body: []),
            Publisher.Message(exchange: "x", routingKey: long, messageID: "m", body: []),
            Publisher.Message(exchange: "x", routingKey: "k", messageID: long, body: []),
            Publisher.Message(exchange: "x", routingKey: "k", messageID: "m", body: [], headers: [long: 1]),
            Publisher.Message(
                exchange: "x", routingKey: "k", messageID: "m", body: [],
                headers: ["h": .string(String(repeating: "x", count: 140_000))]),
        ] {
            guard case .lost(let error) = await publisher.publish(message) else {
                Issue.record("published")
                continue
            }
            #expect(error.code == .protocol)
        }
        let longest = Publisher.Message(
            exchange: String(long.dropLast()), routingKey: String(long.dropLast()), messageID: String(long.dropLast()),
            body: [], headers: [String(long.dropLast()): .string(String(repeating: "x", count: 100_000))])
        #expect(await publisher.publish(longest) == .confirmed)
        await publisher.close()
    }

    @Test(arguments: [
        "010001000000050014002800ce",  // a method that is cut off
        "01000100000004ffffffffce",  // a method that does not exist
        "0100010000000400140029aa",  // no end marker
        "0200017fffffff",  // a frame of 2 GiB
        "48545450",  // text; whatever it means
    ])
    func survivesNonsense(bytes: String) async throws {
        let broker = try await FakeBroker()
        let loop = EventLoop(name: "nonsense")
        let (ends, end) = AsyncStream<AMQPError>.makeStream()
        let publisher = try await Self.publisher(at: broker, heartbeat: 1, on: loop) { end.yield($0) }
        try await broker.tell("mute")
        try await broker.tell("send \(bytes)")
        let error = try await within(.seconds(20), "the end") { await ends.first { _ in true } }
        #expect(error != nil)
        guard case .lost = await publisher.publish(Self.message(0, size: 1)) else {
            return #expect(Bool(false), "published over a connection that has ended")
        }
    }

    @Test(arguments: [FakeBroker.Manner.silent, .http])
    func dialingSomethingElseFailsInTime(manner: FakeBroker.Manner) async throws {
        let broker = try await FakeBroker(manner)
        let error = await #expect(throws: AMQPError.self) {
            try await Publisher.open(
                broker.endpoint(timeout: .milliseconds(500)), on: EventLoop(name: "dial"), setUp: { _ in },
                onEnd: { _ in })
        }
        #expect(error?.code == (manner == .silent ? .timeout : .protocol), "\(String(describing: error))")
        #expect(error?.message.contains("127.0.0.1:\(broker.port)") == true)
    }
}
