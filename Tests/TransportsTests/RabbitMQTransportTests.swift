import AMQP
import EventLoops
import Logging
import Testing
import TestSupport
import Transports

@Suite(.timeLimit(.minutes(3)))
struct RabbitMQTransportTests {
    enum QueueType: String, CaseIterable { case quorum, classic }

    static func settings(_ type: RabbitMQSettings.QueueType = .quorum) throws -> RabbitMQSettings {
        // A prefix and exchange of its own for each: tests share the broker.
        let unique = "t\(UInt32.random(in: 0 ... .max))"
        return RabbitMQSettings(
            endpoint: try Endpoint(url: TestServers.rabbitMQURL), exchange: unique, queuePrefix: "\(unique)-",
            queueType: type)
    }

    static func suite(_ type: RabbitMQSettings.QueueType) throws -> TransportConformance<RabbitMQTransport> {
        let settings = try settings(type)
        return TransportConformance {
            RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        }
    }

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func deliversWhatWasPublishedByteForByte(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).deliversWhatWasPublishedByteForByte("bytes")
    }

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func keepsTheOrderOfManyAndAcknowledges(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).keepsTheOrderOfManyAndAcknowledges("many")
    }

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func givesBackWhatIsNotSettled(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).givesBackWhatIsNotSettled("back")
    }

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func holdsToThePrefetch(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).holdsToThePrefetch("prefetch")
    }

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func holdsDelayedMessagesBackAndNoneBehindAnother(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).holdsDelayedMessagesBackAndNoneBehindAnother("later")
    }

    @Test func saysWhenNoQueueTakesAMessage() async throws {
        try await Self.suite(.quorum).saysWhenNoQueueTakesAMessage("missing")
    }

    @Test func tellsUnroutableOnesApartInABurst() async throws {
        try await Self.suite(.classic).tellsUnroutableOnesApartInABurst("burst")
    }

    /// What waits in the queue arrives together with the broker's answer to the subscription: it can be settled at once.
    @Test func settlesWhatWasThereBefore() async throws {
        let settings = try Self.settings(.classic)
        let loop = EventLoop(name: "test")
        let first = RabbitMQTransport(settings, on: loop, logger: Logger(label: "test"))
        await first.declare(.actor("backlog"))
        for number in 0..<20 {
            let message = Message(to: .actor("backlog"), id: "m\(number)", body: [UInt8(number)])
            try await first.publish(message, timeout: .seconds(20))
        }
        await first.shutdown()

        let second = RabbitMQTransport(settings, on: loop, logger: Logger(label: "test"))
        let deliveries = await second.deliveries(from: .actor("backlog"), prefetch: 1)
        let bodies = try await within(.seconds(30), "20 deliveries, one at a time") {
            // On the transport's loop: nothing comes between a delivery and its settlement.
            await Task(executorPreference: loop) {
                var bodies: [[UInt8]] = []
                for await delivery in deliveries {
                    await second.settle(delivery, .acknowledge)
                    bodies.append(delivery.body)
                    if bodies.count == 20 { break }
                }
                return bodies
            }.value
        }
        #expect(bodies == (0..<20).map { [UInt8($0)] })
        await second.shutdown()
    }

    /// Its consumer holds the last copy of what was delivered before the queue was deleted.
    @Test func whatWasTakenFromADeletedQueueStaysOurs() async throws {
        let settings = try Self.settings()
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        let deliveries = await transport.deliveries(from: .actor("gone"), prefetch: 10)
        try await eventually("the queue is there") { await transport.impediment() == nil }
        let message = Message(to: .actor("gone"), id: "1", body: [1])
        try await eventually("the queue takes a message") {
            (try? await transport.publish(message, timeout: .seconds(5))) != nil
        }
        let delivery = try #require(await deliveries.first { _ in true })
        try TestServers.rabbitmqctl("delete_queue", "\(settings.queuePrefix)gone")
        try await eventually("the queue is back") {
            (try? await transport.publish(message, timeout: .seconds(5))) != nil
        }
        #expect(await transport.isLive(delivery))
        await transport.settle(delivery, .acknowledge)
        await transport.shutdown()
        #expect(await !transport.isLive(delivery))
    }

    @Test func takesNothingOnceStopped() async throws {
        try await Self.suite(.quorum).takesNothingOnceStopped("late")
    }

    @Test func endsCleanly() async throws {
        try await Self.suite(.quorum).endsCleanly("end")
    }
}
