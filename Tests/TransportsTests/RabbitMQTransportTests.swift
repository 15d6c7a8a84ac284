import AMQP
import EventLoops
import Logging
import Testing
import TestSupport
import TransportConformance
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

    static func suite(
        _ type: RabbitMQSettings.QueueType, deliveryLimit: Int = 20
    ) throws -> TransportConformance<RabbitMQTransport> {
        var settings = try settings(type)
        settings.deliveryLimit = deliveryLimit
        return suite(settings)
    }

    static func suite(_ settings: RabbitMQSettings) -> TransportConformance<RabbitMQTransport> {
        TransportConformance(
            observer: RabbitMQQueues(settings), deadLetters: RabbitMQDeadLetters(settings),
            deliveryLimit: settings.deliveryLimit
        ) {
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

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func pausesASourceAndGoesOn(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).pausesASourceAndGoesOn("pause")
    }

    /// Nobody tells who does not consume that the queue is gone.
    @Test func aQueueThatWasDeletedDuringThePauseIsMadeAgain() async throws {
        let settings = try Self.settings()
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        let deliveries = await transport.deliveries(from: .actor("gone"), prefetch: 10)
        try await eventually("the queue is there") { await transport.impediment() == nil }
        await transport.pause(.actor("gone"))
        try TestServers.rabbitmqctl("delete_queue", "\(settings.queuePrefix)gone")
        await transport.resume(.actor("gone"))
        let message = Message(to: .actor("gone"), id: "1", body: [1])
        try await eventually("the queue is back") {
            (try? await transport.publish(message, timeout: .seconds(5))) != nil
        }
        #expect(try await within { await deliveries.first { _ in true } }?.body == [1])
        await transport.shutdown()
    }

    @Test func aPauseOutlivesTheConnection() async throws {
        let proxy = try TCPProxy(to: TestServers.rabbitMQURL)
        var settings = try Self.settings()
        let queues = RabbitMQQueues(settings)
        settings.endpoint = try Endpoint(url: proxy.url)
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        _ = await transport.deliveries(from: .actor("a"), prefetch: 10)
        func consumers() async throws -> Int? { try await queues.look(at: [.actor("a")])[.actor("a")]?.consumers }
        try await eventually("it consumes") { try await consumers() == 1 }
        await transport.pause(.actor("a"))
        try await eventually("it does not consume") { try await consumers() == 0 }
        proxy.stop()
        try await eventually("the connection is lost") { await transport.impediment() != nil }
        try proxy.start()
        try await eventually("it is connected again") { await transport.impediment() == nil }
        #expect(try await consumers() == 0)

        // Resumed while it cannot hear of it.
        proxy.stop()
        try await eventually("the connection is lost") { await transport.impediment() != nil }
        await transport.resume(.actor("a"))
        try proxy.start()
        try await eventually("it consumes") { try await consumers() == 1 }
        await transport.shutdown()
        proxy.stop()
    }

    // MARK: Queues from outside

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func letsQueuesBeLookedAtFromOutside(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).letsQueuesBeLookedAtFromOutside("a")
    }

    @Test func saysThatNoBrokerIsThereToLookAt() async throws {
        var away = try Self.settings()
        away.endpoint.port = 1
        await #expect(throws: TransportError.self) { try await RabbitMQQueues(away).look(at: [.actor("a")]) }
    }

    @Test func takesNothingOnceStopped() async throws {
        try await Self.suite(.quorum).takesNothingOnceStopped("late")
    }

    @Test func endsCleanly() async throws {
        try await Self.suite(.quorum).endsCleanly("end")
    }

    // MARK: Redelivery

    @Test func givesBackInOrder() async throws {
        // The returned ones in any order: quorum queues keep none among them.
        try await Self.suite(.quorum).givesBackInOrder("order")
    }

    @Test func comesAgainAfterADisconnection() async throws {
        try await Self.suite(.quorum).comesAgainAfterADisconnection("lost")
    }

    @Test func losesNothingWhileConsumersAreKilled() async throws {
        try await Self.suite(.quorum).losesNothingWhileConsumersAreKilled("victims")
    }

    @Test func keepsEverythingOverARestart() async throws {
        let broker = try await onThread { try OwnBroker() }
        var settings = try Self.settings()
        settings.endpoint = try Endpoint(url: broker.url)
        let suite = Self.suite(settings)
        try await suite.keepsEverythingOverARestart("restart") {
            try await onThread { _ = try broker.rabbitmqctl("stop_app") }
        } start: {
            try await onThread { _ = try broker.rabbitmqctl("start_app") }
            return suite
        }
    }

    // MARK: Dead letters

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func letsDeadLettersBeReadRemovedAndPutBack(type: RabbitMQSettings.QueueType) async throws {
        try await Self.suite(type).letsDeadLettersBeReadRemovedAndPutBack("a")
    }

    @Test func givesUpWhatIsDeliveredTooOften() async throws {
        try await Self.suite(.quorum, deliveryLimit: 2).givesUpWhatIsDeliveredTooOften("a")
    }

    // MARK: Control and reports

    @Test func tellsEveryInboxWhatIsToldToAllAndOneWhatIsToldToIt() async throws {
        try await Self.suite(.quorum).tellsEveryInboxWhatIsToldToAllAndOneWhatIsToldToIt()
    }

    @Test func givesReportsToOneReaderAtATime() async throws {
        try await Self.suite(.quorum).givesReportsToOneReaderAtATime()
    }
}
