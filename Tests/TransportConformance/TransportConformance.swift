import Envelopes
import Synchronization
import Testing
import TestSupport
import Transports

/// What every transport must do; each implementation's tests run all of it.
public struct TransportConformance<T: Transport>: Sendable {
    /// A transport of its own for each call, on the same broker.
    let make: @Sendable () async throws -> T
    let observer: any QueueObserver
    let deadLetters: any DeadLetterQueues
    /// What the broker was told.
    let deliveryLimit: Int

    public init(
        observer: any QueueObserver, deadLetters: any DeadLetterQueues, deliveryLimit: Int = 20,
        make: @escaping @Sendable () async throws -> T
    ) {
        self.make = make
        self.observer = observer
        self.deadLetters = deadLetters
        self.deliveryLimit = deliveryLimit
    }

    static func message(_ number: Int, to actor: String, body: [UInt8]? = nil) -> Message {
        Message(to: .actor(actor), id: "m-\(number)", body: body ?? Array("{\"n\":\(number)}".utf8))
    }

    /// A queue exists once somebody has consumed it.
    func queueExists(for actor: String, _ transport: T) async throws {
        try await eventually("queue of \(actor)") {
            do {
                try await transport.publish(Self.message(0, to: actor), timeout: .seconds(5))
                return true
            } catch let error as TransportError where error.code == .unroutable { return false }
        }
    }

    public func deliversWhatWasPublishedByteForByte(_ actor: String) async throws {
        let transport = try await make()
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 10)
        try await queueExists(for: actor, transport)
        let bodies: [[UInt8]] = [
            Array("{}".utf8), [], [0, 255, 128], Array(repeating: 0x41, count: 131_064),
            Array(repeating: 0x42, count: 131_065),
            (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) },
        ]
        for (index, body) in bodies.enumerated() {
            try await transport.publish(Self.message(index, to: actor, body: body), timeout: .seconds(20))
        }
        let received = try await within(.seconds(30), "all bodies") {
            var received: [[UInt8]] = []
            for await delivery in deliveries {
                await transport.settle(delivery, .acknowledge)
                received.append(delivery.body)
                if received.count == bodies.count + 1 { break }
            }
            return received
        }
        #expect(Array(received.dropFirst()) == bodies)
        await transport.shutdown()
    }

    public func keepsTheOrderOfManyAndAcknowledges(_ actor: String) async throws {
        let transport = try await make()
        let count = 2000
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 50)
        try await queueExists(for: actor, transport)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 1...count {
                    try await transport.publish(Self.message(number, to: actor), timeout: .seconds(20))
                }
            }
            group.addTask {
                try await within(.seconds(60), "\(count) deliveries") {
                    var expected = 0
                    for await delivery in deliveries {
                        #expect(delivery.body == Self.message(expected, to: actor).body)
                        expected += 1
                        await transport.settle(delivery, .acknowledge)
                        if expected > count { break }
                    }
                }
            }
            try await group.waitForAll()
        }
        await transport.shutdown()

        // Nothing is left: another one finds only what comes after.
        let other = try await make()
        let later = await other.deliveries(from: .actor(actor), prefetch: 10)
        try await other.publish(Self.message(-1, to: actor), timeout: .seconds(20))
        let next = try await within(.seconds(20), "the next delivery") { await later.first { _ in true }?.body }
        #expect(next == Self.message(-1, to: actor).body)
        await other.shutdown()
    }

    public func givesBackWhatIsNotSettled(_ actor: String) async throws {
        let first = try await make()
        let taken = await first.deliveries(from: .actor(actor), prefetch: 10)
        try await queueExists(for: actor, first)
        for number in 1...4 { try await first.publish(Self.message(number, to: actor), timeout: .seconds(20)) }
        try await within(.seconds(20), "five deliveries") {
            var seen = 0
            for await delivery in taken {
                // The second is requeued by hand, the others stay unsettled.
                if seen == 1 { await first.settle(delivery, .requeue) }
                if seen == 0 { await first.settle(delivery, .acknowledge) }
                seen += 1
                if seen == 5 { break }
            }
        }
        await first.shutdown()

        let second = try await make()
        let again = await second.deliveries(from: .actor(actor), prefetch: 10)
        let numbers = try await within(.seconds(20), "four redeliveries") {
            var bodies: Set<[UInt8]> = []
            for await delivery in again {
                #expect(delivery.isRedelivered)
                bodies.insert(delivery.body)
                await second.settle(delivery, .acknowledge)
                if bodies.count == 4 { break }
            }
            return bodies
        }
        #expect(numbers == Set((1...4).map { Self.message($0, to: actor).body }))
        await second.shutdown()
    }

    public func holdsToThePrefetch(_ actor: String) async throws {
        let transport = try await make()
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 3)
        try await queueExists(for: actor, transport)
        for number in 1...9 { try await transport.publish(Self.message(number, to: actor), timeout: .seconds(20)) }
        // One task takes what comes; how much has come is what the test looks at.
        let (taken, took) = AsyncStream<Delivery>.makeStream()
        let count = Counter()
        let taker = Task {
            for await delivery in deliveries {
                count.increment()
                took.yield(delivery)
            }
        }
        try await eventually("three deliveries") { count.value == 3 }
        try await Task.sleep(for: .milliseconds(300))
        #expect(count.value == 3)
        var first = taken.makeAsyncIterator()
        await transport.settle(try #require(await first.next()), .acknowledge)
        try await eventually("a fourth") { count.value == 4 }
        taker.cancel()
        await transport.shutdown()
    }

    public func holdsDelayedMessagesBackAndNoneBehindAnother(_ actor: String) async throws {
        let transport = try await make()
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 10)
        try await queueExists(for: actor, transport)
        let delays: [Int] = [3000, 60, 900, 250]
        let start = ContinuousClock.now
        for delay in delays {
            var message = Self.message(delay, to: actor)
            message.delay = .milliseconds(delay)
            try await transport.publish(message, timeout: .seconds(20))
        }
        let published = ContinuousClock.now
        let arrivals = try await within(.seconds(30), "all delayed messages") {
            var arrivals: [(body: [UInt8], at: ContinuousClock.Instant)] = []
            for await delivery in deliveries {
                await transport.settle(delivery, .acknowledge)
                arrivals.append((delivery.body, .now))
                if arrivals.count == delays.count + 1 { break }
            }
            return arrivals.dropFirst()
        }
        for (delay, arrival) in zip(delays.sorted(), arrivals) {
            #expect(arrival.body == Self.message(delay, to: actor).body)
            let allowed = max(100, delay / 10)
            #expect(arrival.at - start >= .milliseconds(delay - allowed))
            // How late is the machine's affair as well; that it is no other's delay is ours.
            #expect(arrival.at - published <= .milliseconds(delay + allowed + 1500))
        }
        await transport.shutdown()
    }

    public func saysWhenNoQueueTakesAMessage(_ actor: String) async throws {
        let transport = try await make()
        await #expect {
            try await transport.publish(Self.message(1, to: "\(actor)-nobody"), timeout: .seconds(10))
        } throws: { ($0 as? TransportError)?.code == .unroutable }
        // A name that no broker could take is unroutable too, and does not end the connection.
        await #expect {
            try await transport.publish(Self.message(1, to: String(repeating: "ü", count: 5000)), timeout: .seconds(10))
        } throws: { ($0 as? TransportError)?.code == .unroutable }
        await #expect {
            try await transport.publish(Self.message(1, to: "#"), timeout: .seconds(10))
        } throws: { ($0 as? TransportError)?.code == .unroutable }
        await transport.shutdown()
    }

    public func tellsUnroutableOnesApartInABurst(_ actor: String) async throws {
        let transport = try await make()
        _ = await transport.deliveries(from: .actor(actor), prefetch: 1)
        try await queueExists(for: actor, transport)
        let unroutable = await withTaskGroup(of: (Int, Bool).self) { group in
            for number in 0..<200 {
                group.addTask {
                    let target = number.isMultiple(of: 3) ? "\(actor)-nobody" : actor
                    do {
                        try await transport.publish(Self.message(number, to: target), timeout: .seconds(20))
                        return (number, false)
                    } catch { return (number, (error as? TransportError)?.code == .unroutable) }
                }
            }
            var unroutable: Set<Int> = []
            for await (number, failed) in group where failed { unroutable.insert(number) }
            return unroutable
        }
        #expect(unroutable == Set((0..<200).filter { $0.isMultiple(of: 3) }))
        await transport.shutdown()
    }

    /// Deliveries that are here can be settled, either way; what comes meanwhile waits in the queue, for this one or another.
    public func pausesASourceAndGoesOn(_ actor: String) async throws {
        let transport = try await make()
        let source = Source.actor(actor)
        // Who is paused before he has asked gets nothing either.
        await transport.pause(source)
        let arrivals = Arrivals(await transport.deliveries(from: source, prefetch: 10))
        try await queueExists(for: actor, transport)
        for number in 1...4 {
            try await transport.publish(Self.message(number, to: actor), timeout: .seconds(20))
        }
        try await Task.sleep(for: .milliseconds(300))
        #expect(arrivals.all.isEmpty)
        #expect(await transport.impediment() == nil)

        await transport.resume(source)
        await transport.resume(source)
        try await eventually("all have come") { arrivals.all.count == 5 }
        await transport.pause(source)
        await transport.pause(source)
        let first = arrivals.all
        #expect(await transport.isLive(first[0]))
        await transport.settle(first[0], .acknowledge)
        for delivery in first[1...2] { await transport.settle(delivery, .requeue) }
        try await transport.publish(Self.message(5, to: actor), timeout: .seconds(20))
        try await Task.sleep(for: .milliseconds(300))
        #expect(arrivals.all.count == 5, "what was given back, and what is new, waits")

        await transport.resume(source)
        try await eventually("they come again, and the new one") { arrivals.all.count == 8 }
        #expect(
            Set(arrivals.all[5...].map(\.body)) == Set(first[1...2].map(\.body) + [Self.message(5, to: actor).body]))
        for delivery in first[3...4] + arrivals.all[5...] { await transport.settle(delivery, .acknowledge) }

        // A pause does not keep a transport from ending.
        await transport.pause(source)
        await transport.stopConsuming()
        await transport.resume(source)
        let other = try await make()
        try await other.publish(Self.message(6, to: actor), timeout: .seconds(20))
        let delivery = try #require(await other.deliveries(from: source, prefetch: 1).first { _ in true })
        #expect(delivery.body == Self.message(6, to: actor).body && !delivery.isRedelivered)
        await other.settle(delivery, .acknowledge)
        #expect(arrivals.all.count == 8)
        await transport.shutdown()
        await other.shutdown()
    }

    /// Who is asked to stop while he is only just starting must not begin to consume then.
    public func takesNothingOnceStopped(_ actor: String) async throws {
        let other = try await make()
        await other.declare(.actor(actor))
        try await other.publish(Self.message(1, to: actor), timeout: .seconds(20))
        let transport = try await make()
        await transport.stopConsuming()
        for await _ in await transport.deliveries(from: .actor(actor), prefetch: 10) {
            Issue.record("a delivery after stopConsuming()")
        }
        await transport.shutdown()
        let delivery = try #require(
            await other.deliveries(from: .actor(actor), prefetch: 1).first { _ in true })
        #expect(!delivery.isRedelivered)
        await other.shutdown()
    }

    public func endsCleanly(_ actor: String) async throws {
        let transport = try await make()
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 10)
        try await queueExists(for: actor, transport)
        #expect(await transport.impediment() == nil)
        let first = try #require(await deliveries.first { _ in true })
        await transport.stopConsuming()
        // What was taken can still be settled after the last delivery.
        #expect(await transport.isLive(first))
        await transport.settle(first, .acknowledge)
        await transport.shutdown()
        await #expect { try await transport.publish(Self.message(1, to: actor), timeout: .seconds(5)) } throws: {
            ($0 as? TransportError)?.code == .stopped
        }
        #expect(await !transport.isLive(first))
    }
}
