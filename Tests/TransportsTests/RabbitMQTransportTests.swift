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

    @Test func saysWhenNoQueueTakesAMessage() async throws {
        try await Self.suite(.quorum).saysWhenNoQueueTakesAMessage("missing")
    }

    @Test func tellsUnroutableOnesApartInABurst() async throws {
        try await Self.suite(.classic).tellsUnroutableOnesApartInABurst("burst")
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

    @Test func endsCleanly() async throws {
        try await Self.suite(.quorum).endsCleanly("end")
    }
}
