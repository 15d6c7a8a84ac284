import AMQP
import EventLoops
import Synchronization
import TestSupport
import Testing

/// Against the real broker.
@Suite(.timeLimit(.minutes(4)))
struct BrokerTests {
    static func endpoint(heartbeat: Int = 30) throws -> Endpoint {
        var endpoint = try Endpoint(url: TestServers.rabbitMQURL)
        endpoint.heartbeatSeconds = heartbeat
        return endpoint
    }

    static func uniqueName() -> String { "amqp-tests-\(UInt64.random(in: 0 ... .max))" }

    /// A queue of its own with one publisher and one consumer, who acknowledges everything that comes.
    final class Pair: Sendable {
        let queue: String
        let loop: EventLoop
        let publisher: Publisher
        let consumer: Consumer
        let messages: AsyncStream<Consumer.Message>
        let consumerEnds: AsyncStream<AMQPError>
        let publisherEnds: AsyncStream<AMQPError>

        init(_ endpoint: Endpoint, prefetch: Int = 20) async throws {
            let queue = BrokerTests.uniqueName()
            let loop = EventLoop(name: "broker")
            let (messages, message) = AsyncStream<Consumer.Message>.makeStream()
            let (consumerEnds, consumerEnd) = AsyncStream<AMQPError>.makeStream()
            let (publisherEnds, publisherEnd) = AsyncStream<AMQPError>.makeStream()
            // On the loop, as a sidecar does it: between its steps a task of the shared threads may have to wait for
            // longer than a heartbeat takes.
            (consumer, publisher) = try await Task(executorPreference: loop) {
                let consumer = try await Consumer.open(endpoint, queue: queue, prefetch: prefetch, on: loop) {
                    (link) throws(AMQPError) in
                    try link.declareQueue(queue, arguments: ["x-expires": 120_000])
                } handler: { event in
                    switch event {
                    case .message(let received): message.yield(received)
                    case .ended(let error):
                        consumerEnd.yield(error)
                        message.finish()
                    }
                }
                await consumer.start()
                let publisher = try await Publisher.open(
                    endpoint, on: loop, setUp: { _ in }, onEnd: { publisherEnd.yield($0) })
                await publisher.start()
                return (consumer, publisher)
            }.value
            (self.queue, self.loop, self.messages) = (queue, loop, messages)
            (self.consumerEnds, self.publisherEnds) = (consumerEnds, publisherEnds)
        }

        func publish(_ body: [UInt8], id: String = "m") async -> Publisher.Outcome {
            await publisher.publish(
                Publisher.Message(exchange: "", routingKey: queue, messageID: id, body: body), timeout: .seconds(60))
        }

        func next(_ what: String = "a delivery") async throws -> Consumer.Message {
            let messages = messages
            let message = try await within(.seconds(60), what) { await messages.first { _ in true } }
            if let message { return message }
            throw try await BrokerTests.firstOf(consumerEnds) ?? AMQPError(.protocol, "ended without a reason")
        }

        func close() async {
            await consumer.close()
            await publisher.close()
        }
    }

    static func firstOf(_ ends: AsyncStream<AMQPError>) async throws -> AMQPError? {
        try await within(.seconds(60), "the end of a connection") { await ends.first { _ in true } }
    }

    // MARK: No connection

    private func dialing(_ endpoint: Endpoint) async -> AMQPError? {
        await #expect(throws: AMQPError.self) {
            try await Publisher.open(endpoint, on: EventLoop(name: "dial"), setUp: { _ in }, onEnd: { _ in })
        }
    }

    @Test func saysThatNobodyListens() async throws {
        let error = await dialing(Endpoint(port: 1))
        #expect(error?.code == .unreachable)
        #expect(error?.message.hasPrefix("connecting to the broker at 127.0.0.1:1: ") == true)
        let unknown = await dialing(Endpoint(host: "no-such-host.invalid"))
        #expect(unknown?.code == .unreachable)
    }

    @Test func saysThatTheLoginIsRefused() async throws {
        var endpoint = try Self.endpoint()
        endpoint.password = "s3cret-but-wrong"
        let error = await dialing(endpoint)
        #expect(error?.code == .accessRefused)
        #expect(error?.message.contains("logging in at \(endpoint.address) as 'troupe'") == true)
        #expect(error?.message.contains("s3cret") == false)
    }

    @Test func saysThatTheVirtualHostIsUnknown() async throws {
        var endpoint = try Self.endpoint()
        endpoint.virtualHost = "no/such/vhost"
        let error = await dialing(endpoint)
        #expect(error?.code == .accessRefused)
        #expect(error?.message.contains("no/such/vhost") == true)
    }

    @Test func saysWhatTheSetUpMet() async throws {
        let endpoint = try Self.endpoint()
        let name = Self.uniqueName()
        let missing = await #expect(throws: AMQPError.self) {
            try await Consumer.open(
                endpoint, queue: name, prefetch: 1, on: EventLoop(name: "dial"), setUp: { _ in }, handler: { _ in })
        }
        #expect(missing?.code == .notFound)
        #expect(missing?.message.contains(name) == true)
        _ = try await Publisher.open(endpoint, on: EventLoop(name: "dial")) { (link) throws(AMQPError) in
            guard try !link.queueExists(name) else { throw AMQPError(.protocol, "there is a queue '\(name)'") }
            try link.declareQueue(name, arguments: ["x-expires": 60_000])
            guard try link.queueExists(name) else { throw AMQPError(.protocol, "there is no queue '\(name)'") }
            var refusal: AMQPError?
            do throws(AMQPError) {
                try link.declareQueue(name, arguments: ["x-expires": 60_001])
            } catch { refusal = error }
            guard refusal?.code == .preconditionFailed else { throw AMQPError(.protocol, "two queues of one name") }
        } onEnd: { _ in
        }.close()
    }

    // MARK: Lost connections

    @Test func noticesThatTheBrokerClosesConnections() async throws {
        // A virtual host of its own: all its connections will be closed.
        let vhost = Self.uniqueName()
        try await onThread { try TestServers.rabbitmqctl("add_vhost", vhost) }
        try await onThread {
            try TestServers.rabbitmqctl("set_permissions", "--vhost", vhost, "troupe", ".*", ".*", ".*")
        }
        var endpoint = try Self.endpoint()
        endpoint.virtualHost = vhost
        let pair = try await Pair(endpoint)
        #expect(await pair.publish([1]) == .confirmed)
        let delivery = try await pair.next()
        try await onThread {
            try TestServers.rabbitmqctl("close_all_connections", "--vhost", vhost, "so says the test")
        }
        for ends in [pair.consumerEnds, pair.publisherEnds] {
            let error = try await Self.firstOf(ends)
            #expect(error?.code == .closedByBroker)
            #expect(error?.message.contains("connection closed: broker says 320") == true)
            #expect(error?.message.contains("so says the test") == true)
        }
        guard case .lost(let error) = await pair.publish([2]) else { return #expect(Bool(false), "not lost") }
        #expect(error.code == .connectionLost)
        // Too late, and harmless.
        await pair.consumer.acknowledge(delivery.tag)
        await pair.consumer.requeue(delivery.tag)
        await pair.consumer.cancel()
        await pair.close()
        try await onThread { try TestServers.rabbitmqctl("delete_vhost", vhost) }
    }

    @Test func noticesThatItsQueueIsDeleted() async throws {
        let pair = try await Pair(Self.endpoint())
        try await onThread { try TestServers.rabbitmqctl("delete_queue", pair.queue) }
        #expect(try await Self.firstOf(pair.consumerEnds)?.code == .consumerCancelled)
        // The publisher lives, and learns that the queue is gone.
        #expect(await pair.publish([1]) == .returned("312 NO_ROUTE"))
        await pair.close()
    }

    @Test func settlingTwiceDoesNotCloseTheChannel() async throws {
        let pair = try await Pair(Self.endpoint())
        for number in 0..<4 as Range<UInt8> { #expect(await pair.publish([number]) == .confirmed) }
        var tags: [UInt64] = []
        for _ in 0..<4 { tags.append(try await pair.next().tag) }
        for tag in tags.dropLast() + tags.dropLast() + [0, 99] { await pair.consumer.acknowledge(tag) }
        await pair.consumer.requeue(tags[0])
        await pair.consumer.requeue(tags[3])
        await pair.consumer.requeue(tags[3])
        let again = try await pair.next("the one that was handed back")
        #expect(again.isRedelivered)
        #expect(again.body == [3])
        await pair.consumer.acknowledge(again.tag)
        #expect(await pair.publish([5]) == .confirmed)
        #expect(try await pair.next().body == [5])
        await pair.close()
    }

    @Test func staysConnectedWhileItIdlesAndTheLoopIsBusy() async throws {
        // The broker ends a connection after two such times of silence.
        let pair = try await Pair(Self.endpoint(heartbeat: 1))
        let busy = (0..<4).map { _ in
            let loop = pair.loop
            return Task(executorPreference: loop) {
                while !Task.isCancelled { await Task.yield() }
            }
        }
        try await Task.sleep(for: .seconds(5))
        for task in busy { task.cancel() }
        #expect(await pair.publish([1]) == .confirmed)
        #expect(try await pair.next().body == [1])
        await pair.close()
    }

    // MARK: Traffic

    @Test func carriesBigAndSmallSideBySide() async throws {
        let pair = try await Pair(Self.endpoint())
        // Put together from pieces: 20 MiB, byte by byte, keep a debug build's thread for seconds.
        var big: [UInt8] = []
        for number in 0..<320 { big += [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 65_537) }
        // Sizes at the edges of frames among them.
        let small = [0, 1, 131_063, 131_064, 131_065, 262_128, 262_129].map { [UInt8](repeating: 7, count: $0) }
        let bodies = [[1], big] + small + (0..<200).map { [UInt8($0), 2] }
        let received = Task {
            var received: [[UInt8]] = []
            for await message in pair.messages {
                await pair.consumer.acknowledge(message.tag)
                received.append(message.body)
                if received.count == bodies.count { break }
            }
            return received
        }
        let publishing = bodies.enumerated().map { index, body in
            Task(executorPreference: pair.loop) { await pair.publish(body, id: "\(index)") }
        }
        for task in publishing { #expect(await task.value == .confirmed) }
        let all = try await within(.seconds(120), "all deliveries") { await received.value }
        #expect(all.first { $0.count > 20 << 20 } == big)
        #expect(Set(all.filter { $0.count < 1 << 20 }) == Set(bodies.filter { $0.count < 1 << 20 }))
        await pair.close()
    }

    @Test func readsWhatComesAlong() async throws {
        let pair = try await Pair(Self.endpoint())
        let message = Publisher.Message(
            exchange: "", routingKey: pair.queue, messageID: "id-ü", body: Array("{}".utf8),
            headers: [
                "x-delivery-count": 3, "flag": true, "text": "ü",
                "x-death": .list([.table(["reason": "expired", "count": 2]), .table(["deep": .table([:])])]),
            ])
        #expect(await pair.publisher.publish(message) == .confirmed)
        let received = try await pair.next()
        #expect(received.messageID == "id-ü")
        #expect(received.headers == message.headers)
        #expect(received.routingKey == pair.queue)
        #expect(!received.isRedelivered)
        await pair.close()
    }

    @Test func unroutableOnesComeBackOrVanishAsAsked() async throws {
        let pair = try await Pair(Self.endpoint())
        let nowhere = Publisher.Message(exchange: "", routingKey: Self.uniqueName(), messageID: "m", body: [1])
        #expect(await pair.publisher.publish(nowhere) == .returned("312 NO_ROUTE"))
        var optional = nowhere
        optional.isMandatory = false
        #expect(await pair.publisher.publish(optional) == .confirmed)
        // A big one comes back in many frames.
        var big = nowhere
        big.body = [UInt8](repeating: 1, count: 500_000)
        #expect(await pair.publisher.publish(big) == .returned("312 NO_ROUTE"))
        await pair.close()
    }

    @Test func anUnknownExchangeEndsThePublisherWithItsReason() async throws {
        let pair = try await Pair(Self.endpoint())
        let outcome = await pair.publisher.publish(
            Publisher.Message(exchange: "no-such-exchange", routingKey: "k", messageID: "m", body: [1]))
        guard case .lost(let error) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(error.code == .notFound)
        #expect(error.message.contains("no-such-exchange"))
        #expect(try await Self.firstOf(pair.publisherEnds)?.code == .notFound)
        await pair.close()
    }

    @Test func cancelledConsumersStillSettle() async throws {
        let pair = try await Pair(Self.endpoint())
        #expect(await pair.publish([1]) == .confirmed)
        let first = try await pair.next()
        await pair.consumer.cancel()
        #expect(await pair.publish([2]) == .confirmed)
        await pair.consumer.acknowledge(first.tag)
        try await eventually("only the second is left") {
            try await onThread {
                try TestServers.rabbitmqctl("--quiet", "list_queues", "name", "messages", "consumers")
            }
            .split(separator: "\n").contains("\(pair.queue)\t1\t0")
        }
        await pair.close()
    }
}
