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
    func queuesAreLookedAtFromOutside(type: RabbitMQSettings.QueueType) async throws {
        let settings = try Self.settings(type)
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        let observer = RabbitMQQueues(settings)
        let all: [ObservedQueue] = [
            .actor("a"), .deadLetters(actor: "a"), .statusReports, .deadLetterNotices, .controlRequests,
        ]
        #expect(try await observer.look(at: all).isEmpty)
        for source in [.actor("a"), .statusReports, .deadLetterNotices, .controlRequests] as [Source] {
            await transport.declare(source)
        }
        for number in 1...3 {
            let message = Message(to: .actor("a"), id: "m\(number)", body: [1])
            try await transport.publish(message, timeout: .seconds(20))
        }
        let dead = Message(to: .deadLetters(actor: "a", reason: "why"), id: "d", body: [1])
        try await transport.publish(dead, timeout: .seconds(20))
        try await eventually("all of it shows") {
            try await observer.look(at: all) == [
                .actor("a"): QueueState(ready: 3, consumers: 0),
                .deadLetters(actor: "a"): QueueState(ready: 1, consumers: 0),
                .statusReports: QueueState(ready: 0, consumers: 0),
                .deadLetterNotices: QueueState(ready: 1, consumers: 0),
                .controlRequests: QueueState(ready: 0, consumers: 0),
            ]
        }
        let deliveries = await transport.deliveries(from: .actor("a"), prefetch: 2)
        try await eventually("two are at their consumer") {
            try await observer.look(at: [.actor("a")]) == [.actor("a"): QueueState(ready: 1, consumers: 1)]
        }
        _ = deliveries
        // More that are not there than a connection has channels, and names that no queue can have.
        let missing =
            (0..<3000).map { ObservedQueue.actor("missing-\($0)") } + [.actor(String(repeating: "x", count: 300))]
        #expect(try await observer.look(at: missing + [.actor("a")]).count == 1)
        await transport.shutdown()

        var away = settings
        away.endpoint.port = 1
        await #expect(throws: TransportError.self) { try await RabbitMQQueues(away).look(at: all) }
    }

    @Test func takesNothingOnceStopped() async throws {
        try await Self.suite(.quorum).takesNothingOnceStopped("late")
    }

    @Test func endsCleanly() async throws {
        try await Self.suite(.quorum).endsCleanly("end")
    }

    // MARK: Dead letters

    @Test(arguments: RabbitMQSettings.QueueType.allCases)
    func deadLettersCanBeReadRemovedAndPutBack(type: RabbitMQSettings.QueueType) async throws {
        let settings = try Self.settings(type)
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        let queues = RabbitMQDeadLetters(settings)
        #expect(try await queues.openDeadLetters(of: "a") == nil)
        await transport.declare(.actor("a"))
        await transport.declare(.deadLetterNotices)
        for number in 0..<30 {
            let body = number == 7 ? [UInt8](repeating: 7, count: 300_000) : [UInt8(number)]
            let message = Message(to: .deadLetters(actor: "a", reason: "why \(number)"), id: "m\(number)", body: body)
            try await transport.publish(message, timeout: .seconds(20))
        }
        // More often than newer brokers let a message come back if they are not told otherwise.
        for _ in 0..<25 {
            let reader = try #require(try await queues.openDeadLetters(of: "a"))
            #expect(reader.count == 30)
            let messages = try await reader.next(limit: 100)
            // Quorum queues take back in any order.
            let byID = Dictionary(uniqueKeysWithValues: messages.map { ($0.id, $0) })
            for number in 0..<30 {
                let message = try #require(byID["m\(number)"])
                #expect(message.body.count == (number == 7 ? 300_000 : 1))
                #expect(message.deadLetter.reason == "why \(number)" && message.deadLetter.actor == "a")
                #expect((message.deadLetter.time ?? 0) > 1_700_000_000)
            }
            #expect(try await reader.next(limit: 100).isEmpty)
            await reader.close()
            try await eventually("they are back") {
                let again = try await queues.openDeadLetters(of: "a")
                await again?.close()
                return again?.count == 30
            }
        }
        let reader = try #require(try await queues.openDeadLetters(of: "a"))
        for message in try await reader.next(limit: 100) where message.tag % 2 == 0 { try await reader.remove(message) }
        await reader.close()
        try await eventually("half of them are left") {
            let again = try await queues.openDeadLetters(of: "a")
            await again?.close()
            return again?.count == 15
        }

        // A gateway has heard of each.
        let notices = await transport.deliveries(from: .deadLetterNotices, prefetch: 100)
        var reasons: [String] = []
        for await notice in notices {
            reasons.append(try #require(notice.deadLetter).reason)
            #expect(notice.deadLetter?.actor == "a")
            await transport.settle(notice, .acknowledge)
            if reasons.count == 30 { break }
        }
        #expect(Set(reasons) == Set((0..<30).map { "why \($0)" }))
        await transport.shutdown()
    }

    @Test func whatTheBrokerGivesUpIsNoticedWithItsReason() async throws {
        var settings = try Self.settings(.quorum)
        settings.deliveryLimit = 2
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        await transport.declare(.deadLetterNotices)
        let deliveries = await transport.deliveries(from: .actor("a"), prefetch: 1)
        try await eventually("the queue takes a message") {
            let message = Message(to: .actor("a"), id: "e", body: [1], delay: .milliseconds(50))
            return (try? await transport.publish(message, timeout: .seconds(5))) != nil
        }
        let returning = Task {
            for await delivery in deliveries { await transport.settle(delivery, .requeue) }
        }
        let notices = await transport.deliveries(from: .deadLetterNotices, prefetch: 1)
        let notice = try await within(.seconds(20), "the notice") { await notices.first { _ in true } }
        #expect(notice?.deadLetter?.reason == "delivery_limit" && notice?.deadLetter?.actor == "a")
        #expect((notice?.deadLetter?.time ?? 0) > 1_700_000_000)
        returning.cancel()
        await transport.shutdown()
    }

    // MARK: Control

    @Test func everyInboxGetsWhatIsToldToAllAndOneWhatIsToldToIt() async throws {
        let settings = try Self.settings()
        let transport = RabbitMQTransport(settings, on: EventLoop(name: "test"), logger: Logger(label: "test"))
        let inboxes = ["one", "two"]
        for inbox in inboxes { await transport.declare(.control(inbox: inbox)) }
        try await transport.publish(Message(to: .control, id: "", body: [1]), timeout: .seconds(5))
        try await transport.publish(Message(to: .controlInbox("two"), id: "", body: [2]), timeout: .seconds(5))
        await #expect(throws: TransportError.self) {
            try await transport.publish(Message(to: .controlInbox("three"), id: "", body: [3]), timeout: .seconds(5))
        }
        try await transport.publish(Message(to: .control, id: "", body: [4]), timeout: .seconds(5))
        for (inbox, expected) in [("one", [1, 4]), ("two", [1, 2, 4])] as [(String, [UInt8])] {
            let deliveries = await transport.deliveries(from: .control(inbox: inbox), prefetch: 10)
            let bodies = try await within(.seconds(20), "all of \(inbox)") {
                var bodies: [UInt8] = []
                for await delivery in deliveries {
                    await transport.settle(delivery, .acknowledge)
                    bodies += delivery.body
                    if bodies.count == expected.count { break }
                }
                return bodies
            }
            #expect(bodies == expected)
        }
        await transport.shutdown()
    }
}
