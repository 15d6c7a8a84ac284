import Synchronization
import TestSupport
import Testing
import Transports

/// What comes again, in which order, and how often.
extension TransportConformance {
    /// What comes back is before what has not been taken yet.
    public func givesBackInOrder(_ actor: String) async throws {
        let transport = try await make()
        let source = Source.actor(actor)
        await transport.declare(source)
        for number in 0..<10 {
            try await transport.publish(Self.message(number, to: actor), timeout: .seconds(20))
        }
        let other = try await make()
        let arrivals = Arrivals(await other.deliveries(from: source, prefetch: 4))
        try await eventually("four have come") { arrivals.all.count == 4 }
        await other.shutdown()

        let deliveries = await transport.deliveries(from: source, prefetch: 1)
        let bodies = try await within(.seconds(20), "all ten") {
            var bodies: [[UInt8]] = []
            for await delivery in deliveries {
                #expect(delivery.isRedelivered == (bodies.count < 4))
                #expect(delivery.priorDeliveries == (bodies.count < 4 ? 1 : 0))
                bodies.append(delivery.body)
                await transport.settle(delivery, .acknowledge)
                if bodies.count == 10 { break }
            }
            return bodies
        }
        #expect(Set(bodies[..<4]) == Set((0..<4).map { Self.message($0, to: actor).body }))
        #expect(bodies[4...] == (4..<10).map { Self.message($0, to: actor).body }[...])
        await transport.shutdown()
    }

    /// What a connection had delivered when it was lost on purpose comes again, and the stream goes on.
    public func comesAgainAfterADisconnection(_ actor: String) async throws {
        let transport = try await make()
        let source = Source.actor(actor)
        await transport.declare(source)
        for number in 0..<6 {
            try await transport.publish(Self.message(number, to: actor), timeout: .seconds(20))
        }
        let arrivals = Arrivals(await transport.deliveries(from: source, prefetch: 4))
        try await eventually("four have come") { arrivals.all.count == 4 }
        let first = arrivals.all
        await transport.settle(first[0], .acknowledge)
        try await eventually("a fifth has come") { arrivals.all.count == 5 }
        await transport.disconnect(from: source)
        for delivery in first {
            let isLive = await transport.isLive(delivery)
            #expect(!isLive)
        }
        // It is nobody's any more: what is said of it changes nothing.
        await transport.settle(first[1], .acknowledge)
        try await eventually("four come again") { arrivals.all.count == 9 }
        let again = arrivals.all[5...]
        #expect(again.allSatisfy { $0.isRedelivered && $0.priorDeliveries == 1 })
        #expect(Set(again.map(\.body)) == Set((1..<5).map { Self.message($0, to: actor).body }))
        for delivery in again { await transport.settle(delivery, .acknowledge) }
        try await eventually("the last one has come") { arrivals.all.count == 10 }
        await transport.settle(arrivals.all[9], .acknowledge)
        await transport.shutdown()
    }

    /// Consumers that come and go, and are killed in the midst of their work.
    public func losesNothingWhileConsumersAreKilled(_ actor: String, count: Int = 10_000) async throws {
        let transport = try await make()
        await transport.declare(.actor(actor))
        let done = Bodies()
        let consumers = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        while done.count < count && !Task.isCancelled {
                            let victim = try await make()
                            let deliveries = await victim.deliveries(from: .actor(actor), prefetch: 20)
                            // It leaves behind what it has and has not settled.
                            let end = Task {
                                for _ in 0..<Int.random(in: 1...20) where done.count < count {
                                    try? await Task.sleep(for: .milliseconds(50))
                                }
                                await victim.shutdown()
                            }
                            for await delivery in deliveries {
                                if Int.random(in: 0..<200) == 0 { break }
                                done.insert(delivery.body)
                                await victim.settle(delivery, .acknowledge)
                            }
                            end.cancel()
                            await victim.shutdown()
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<20 {
                group.addTask {
                    for number in stride(from: part, to: count, by: 20) {
                        try await transport.publish(Self.message(number, to: actor), timeout: .seconds(60))
                    }
                }
            }
            try await group.waitForAll()
        }
        try await eventually("all \(count) were done", within: .seconds(90)) { done.count == count }
        try await consumers.value
        // The last ones may have been settled after their consumer was gone.
        try await eventually("those that come again are done, too", within: .seconds(30)) {
            let cleaner = try await make()
            let rest = Arrivals(await cleaner.deliveries(from: .actor(actor), prefetch: 100))
            try await Task.sleep(for: .milliseconds(300))
            for delivery in rest.all {
                #expect(done.contains(delivery.body))
                await cleaner.settle(delivery, .acknowledge)
            }
            let state = try await observer.look(at: [.actor(actor)])[.actor(actor)]
            await cleaner.shutdown()
            return state?.ready == 0 && rest.all.isEmpty
        }
        await transport.shutdown()
    }

    /// What kills its consumers, or is given back, again and again, ends in the dead letters.
    public func givesUpWhatIsDeliveredTooOften(_ actor: String) async throws {
        let transport = try await make()
        await transport.declare(.deadLetterNotices)
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 1)
        try await queueExists(for: actor, transport)
        let counts = Mutex<[Int]>([])
        let returning = Task {
            for await delivery in deliveries {
                counts.withLock { $0.append(delivery.priorDeliveries) }
                await transport.settle(delivery, .requeue)
            }
        }
        let notices = await transport.deliveries(from: .deadLetterNotices, prefetch: 1)
        let notice = try #require(try await within(.seconds(20), "the notice") { await notices.first { _ in true } })
        #expect(counts.withLock { $0 } == Array(0...deliveryLimit))
        #expect(notice.deadLetter?.reason == "delivery_limit" && notice.deadLetter?.actor == actor)
        #expect((notice.deadLetter?.time ?? 0) > 1_700_000_000)
        #expect(notice.body == Self.message(0, to: actor).body)
        await transport.settle(notice, .acknowledge)
        try await eventually("it lies in the dead letters") {
            guard let reader = try await deadLetters.openDeadLetters(of: actor) else { return false }
            let letters = try await reader.next(limit: 10)
            await reader.close()
            return letters.map(\.deadLetter.reason) == ["delivery_limit"] && letters[0].body == notice.body
        }
        returning.cancel()
        await transport.shutdown()
    }

    /// - Parameters:
    ///   - stop: ends the broker, without a word to its clients.
    ///   - start: begins it again.
    public func keepsEverythingOverARestart(
        _ actor: String, stop: () async throws -> Void, start: () async throws -> TransportConformance<T>
    ) async throws {
        let before = try await make()
        await before.declare(.actor(actor))
        let arrivals = Arrivals(await before.deliveries(from: .actor(actor), prefetch: 2))
        for number in 0..<5 {
            try await before.publish(Self.message(number, to: actor), timeout: .seconds(20))
        }
        var late = Self.message(9, to: actor)
        late.delay = .seconds(4)
        let sent = ContinuousClock.now
        try await before.publish(late, timeout: .seconds(20))
        let dead = Message(to: .deadLetters(actor: actor, reason: "why"), id: "d", body: [1])
        try await before.publish(dead, timeout: .seconds(20))
        try await eventually("two have come") { arrivals.all.count == 2 }
        await before.settle(arrivals.all[0], .acknowledge)
        try await eventually("the next has come") { arrivals.all.count == 3 }

        try await stop()
        await before.shutdown()
        let suite = try await start()
        let after = try await suite.make()
        let deliveries = await after.deliveries(from: .actor(actor), prefetch: 10)
        let came = try await within(.seconds(60), "four, and the late one") {
            var came: [(delivery: Delivery, at: ContinuousClock.Instant)] = []
            for await delivery in deliveries {
                came.append((delivery, .now))
                await after.settle(delivery, .acknowledge)
                if came.count == 5 { break }
            }
            return came
        }
        #expect(Set(came[..<4].map(\.delivery.body)) == Set((1..<5).map { Self.message($0, to: actor).body }))
        // Two were at their consumer.
        #expect(came.count { $0.delivery.isRedelivered } == 2)
        #expect(came[4].delivery.body == late.body)
        #expect(came[4].at - sent >= .milliseconds(3600))
        let reader = try #require(try await suite.deadLetters.openDeadLetters(of: actor))
        #expect(try await reader.next(limit: 10).map(\.deadLetter.reason) == ["why"])
        await reader.close()
        await after.shutdown()
    }
}
