import AMQP
import Synchronization
import TestSupport
import Testing

/// On a broker of their own: an alarm stops every publisher.
@Suite(.timeLimit(.minutes(4)))
struct AlarmTests {
    @Test func aMemoryAlarmBlocksPublishersAndLosesNothing() async throws {
        let broker = try await onThread { try OwnBroker() }
        let pair = try await BrokerTests.Pair(Endpoint(url: broker.url), prefetch: 500)
        #expect(await pair.publish([0]) == .confirmed)
        #expect(try await pair.next().body == [0])

        try await onThread { try broker.rabbitmqctl("set_vm_memory_high_watermark", "0.00001") }
        // The broker tells a publisher when it tries. Much more than all buffers hold, in frames of every size.
        let bodies = (1...40).map { [UInt8](repeating: UInt8($0), count: $0.isMultiple(of: 4) ? 3_000_000 : 1000) }
        let publishing = bodies.map { body in Task { await pair.publish(body) } }
        try await eventually("the publisher is blocked") { await pair.publisher.blockedReason != nil }
        #expect(await pair.publisher.blockedReason == "low on memory")
        // The loop turns, and the consumer on it works: it has its own connection.
        #expect(
            await pair.publisher.publish(
                Publisher.Message(exchange: "", routingKey: pair.queue, messageID: "late", body: [99]),
                timeout: .milliseconds(200)
            ) == .lost(AMQPError(.timeout, "no confirm within 0.2 seconds")))
        // What the broker took before it blocked may be confirmed; nothing is lost or refused.
        try await onThread { try broker.rabbitmqctl("set_vm_memory_high_watermark", "0.6") }
        for task in publishing { #expect(await task.value == .confirmed) }
        #expect(await pair.publisher.blockedReason == nil)

        var received: [[UInt8]] = []
        while received.count < bodies.count { received.append(try await pair.next("all that was published").body) }
        #expect(Set(received) == Set(bodies))
        await pair.close()
    }
}
