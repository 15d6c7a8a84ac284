import TestSupport
import Testing
import Transports

/// Queues from outside, dead letters, control.
extension TransportConformance {
    public func letsQueuesBeLookedAtFromOutside(_ actor: String) async throws {
        let transport = try await make()
        let all: [ObservedQueue] = [
            .actor(actor), .deadLetters(actor: actor), .statusReports, .deadLetterNotices, .controlRequests,
        ]
        #expect(try await observer.look(at: all).isEmpty)
        #expect(Set(all.map(observer.name)).count == all.count)
        for source in [.actor(actor), .statusReports, .deadLetterNotices, .controlRequests] as [Source] {
            await transport.declare(source)
        }
        for number in 1...3 { try await transport.publish(Self.message(number, to: actor), timeout: .seconds(20)) }
        let dead = Message(to: .deadLetters(actor: actor, reason: "why"), id: "d", body: [1])
        try await transport.publish(dead, timeout: .seconds(20))
        try await eventually("all of it shows") {
            try await observer.look(at: all) == [
                .actor(actor): QueueState(ready: 3, consumers: 0),
                .deadLetters(actor: actor): QueueState(ready: 1, consumers: 0),
                .statusReports: QueueState(ready: 0, consumers: 0),
                .deadLetterNotices: QueueState(ready: 1, consumers: 0),
                .controlRequests: QueueState(ready: 0, consumers: 0),
            ]
        }
        let deliveries = await transport.deliveries(from: .actor(actor), prefetch: 2)
        try await eventually("two are at their consumer") {
            try await observer.look(at: [.actor(actor)]) == [.actor(actor): QueueState(ready: 1, consumers: 1)]
        }
        await transport.pause(.actor(actor))
        try await eventually("it does not consume") {
            try await observer.look(at: [.actor(actor)]) == [.actor(actor): QueueState(ready: 1, consumers: 0)]
        }
        _ = deliveries
        // More that are not there than a connection has channels, and names that no queue can have.
        let missing =
            (0..<3000).map { ObservedQueue.actor("missing-\($0)") } + [.actor(String(repeating: "x", count: 300))]
        #expect(try await observer.look(at: missing + [.actor(actor)]).count == 1)
        await transport.shutdown()
    }

    public func letsDeadLettersBeReadRemovedAndPutBack(_ actor: String) async throws {
        let transport = try await make()
        #expect(try await deadLetters.openDeadLetters(of: actor) == nil)
        await #expect {
            let message = Message(to: .deadLetters(actor: actor, reason: "why"), id: "d", body: [1])
            try await transport.publish(message, timeout: .seconds(20))
        } throws: { ($0 as? TransportError)?.code == .unroutable }
        await transport.declare(.actor(actor))
        await transport.declare(.deadLetterNotices)
        for number in 0..<30 {
            let body = number == 7 ? [UInt8](repeating: 7, count: 300_000) : [UInt8(number)]
            let destination = Message.Destination.deadLetters(actor: actor, reason: "why \(number)")
            let message = Message(to: destination, id: "m\(number)", body: body)
            try await transport.publish(message, timeout: .seconds(20))
        }
        // More often than newer brokers let a message come back if they are not told otherwise.
        for _ in 0..<25 {
            let reader = try #require(try await deadLetters.openDeadLetters(of: actor))
            #expect(reader.count == 30)
            let messages = try await reader.next(limit: 12) + reader.next(limit: 100)
            // Quorum queues take back in any order.
            let byID = Dictionary(uniqueKeysWithValues: messages.map { ($0.id, $0) })
            for number in 0..<30 {
                let message = try #require(byID["m\(number)"])
                #expect(message.body.count == (number == 7 ? 300_000 : 1))
                #expect(message.deadLetter.reason == "why \(number)" && message.deadLetter.actor == actor)
                #expect((message.deadLetter.time ?? 0) > 1_700_000_000)
            }
            #expect(try await reader.next(limit: 100).isEmpty)
            // What one has read is nobody else's.
            let other = try #require(try await deadLetters.openDeadLetters(of: actor))
            #expect(other.count == 0)
            #expect(try await other.next(limit: 100).isEmpty)
            await other.close()
            await reader.close()
            try await eventually("they are back") { try await countOfDeadLetters(actor) == 30 }
        }
        let reader = try #require(try await deadLetters.openDeadLetters(of: actor))
        for (index, message) in try await reader.next(limit: 100).enumerated() where index % 2 == 0 {
            try await reader.remove(message)
        }
        await reader.close()
        try await eventually("half of them are left") { try await countOfDeadLetters(actor) == 15 }

        // A gateway has heard of each.
        let notices = await transport.deliveries(from: .deadLetterNotices, prefetch: 100)
        let reasons = try await within(.seconds(20), "all notices") {
            var reasons: [String] = []
            for await notice in notices {
                reasons.append(try #require(notice.deadLetter).reason)
                #expect(notice.deadLetter?.actor == actor)
                await transport.settle(notice, .acknowledge)
                if reasons.count == 30 { break }
            }
            return reasons
        }
        #expect(Set(reasons) == Set((0..<30).map { "why \($0)" }))
        await transport.shutdown()
    }

    private func countOfDeadLetters(_ actor: String) async throws -> Int? {
        let reader = try await deadLetters.openDeadLetters(of: actor)
        await reader?.close()
        return reader?.count
    }

    public func tellsEveryInboxWhatIsToldToAllAndOneWhatIsToldToIt() async throws {
        let transport = try await make()
        // Nobody is there: nobody misses it.
        try await transport.publish(Message(to: .control, id: "", body: [0]), timeout: .seconds(5))
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

    /// They are written in the order in which they came: by one reader, until it goes.
    public func givesReportsToOneReaderAtATime() async throws {
        let (first, second) = (try await make(), try await make())
        let report = Message(to: .statusReports(.final), id: "e", body: [1])
        await #expect { try await first.publish(report, timeout: .seconds(5)) } throws: {
            ($0 as? TransportError)?.code == .unroutable
        }
        // The next one tells more.
        try await first.publish(Message(to: .statusReports(.progress), id: "e", body: [0]), timeout: .seconds(5))
        await first.declare(.statusReports)
        let one = Arrivals(await first.deliveries(from: .statusReports, prefetch: 2))
        try await eventually("the first one is there") {
            try await observer.look(at: [.statusReports])[.statusReports]?.consumers == 1
        }
        let two = Arrivals(await second.deliveries(from: .statusReports, prefetch: 2))
        for number in 1...6 {
            let message = Message(to: .statusReports(.final), id: "e", body: [UInt8(number)])
            try await second.publish(message, timeout: .seconds(5))
        }
        try await eventually("two have come") { one.all.count == 2 }
        try await Task.sleep(for: .milliseconds(300))
        #expect(two.all.isEmpty, "the other waits, though the first has its hands full")
        await first.settle(one.all[0], .acknowledge)
        try await eventually("a third has come") { one.all.count == 3 }
        #expect(one.all.map(\.body) == [[1], [2], [3]])
        await first.shutdown()
        try await eventually("the other goes on") { two.all.count == 2 }
        for number in 0..<5 {
            try await eventually("the next has come") { two.all.count > number }
            await second.settle(two.all[number], .acknowledge)
        }
        #expect(Set(two.all.map(\.body)) == [[2], [3], [4], [5], [6]])
        await second.shutdown()
    }
}
