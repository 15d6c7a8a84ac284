import EventLoops
import Foundation
import GRDB
import SQLite
import Synchronization
import TestSupport
import Testing
import TransportConformance
import Transports

@testable import EmbeddedTransports

/// What every transport must do.
@Suite(.timeLimit(.minutes(3)))
struct EmbeddedTransportTests {
    @Test func deliversWhatWasPublishedByteForByte() async throws {
        try await OpenBroker().suite.deliversWhatWasPublishedByteForByte("bytes")
    }

    @Test func keepsTheOrderOfManyAndAcknowledges() async throws {
        try await OpenBroker().suite.keepsTheOrderOfManyAndAcknowledges("many")
    }

    @Test func givesBackWhatIsNotSettled() async throws {
        try await OpenBroker().suite.givesBackWhatIsNotSettled("back")
    }

    @Test func givesBackInOrder() async throws { try await OpenBroker().suite.givesBackInOrder("order") }
    @Test func comesAgainAfterADisconnection() async throws {
        try await OpenBroker().suite.comesAgainAfterADisconnection("lost")
    }

    @Test func holdsToThePrefetch() async throws { try await OpenBroker().suite.holdsToThePrefetch("prefetch") }

    @Test func holdsDelayedMessagesBackAndNoneBehindAnother() async throws {
        try await OpenBroker().suite.holdsDelayedMessagesBackAndNoneBehindAnother("later")
    }

    @Test func saysWhenNoQueueTakesAMessage() async throws {
        try await OpenBroker().suite.saysWhenNoQueueTakesAMessage("missing")
    }

    @Test func tellsUnroutableOnesApartInABurst() async throws {
        try await OpenBroker().suite.tellsUnroutableOnesApartInABurst("burst")
    }

    @Test func pausesASourceAndGoesOn() async throws { try await OpenBroker().suite.pausesASourceAndGoesOn("pause") }

    @Test func takesNothingOnceStopped() async throws { try await OpenBroker().suite.takesNothingOnceStopped("late") }

    @Test func endsCleanly() async throws { try await OpenBroker().suite.endsCleanly("end") }

    @Test func losesNothingWhileConsumersAreKilled() async throws {
        try await OpenBroker().suite.losesNothingWhileConsumersAreKilled("victims")
    }

    @Test func givesUpWhatIsDeliveredTooOften() async throws {
        try await OpenBroker(deliveryLimit: 2).suite.givesUpWhatIsDeliveredTooOften("a")
    }

    @Test func keepsEverythingOverARestart() async throws {
        let before = try await OpenBroker()
        try await before.suite.keepsEverythingOverARestart("restart") {
            await before.close()
        } start: {
            try await OpenBroker(in: before.folder).suite
        }
    }

    @Test func letsQueuesBeLookedAtFromOutside() async throws {
        let open = try await OpenBroker()
        try await open.suite.letsQueuesBeLookedAtFromOutside("a")
        await open.close()
        await #expect(throws: TransportError.self) {
            try await EmbeddedQueues(open.broker).look(at: [.actor("a")])
        }
    }

    @Test func letsDeadLettersBeReadRemovedAndPutBack() async throws {
        try await OpenBroker().suite.letsDeadLettersBeReadRemovedAndPutBack("a")
    }

    @Test func tellsEveryInboxWhatIsToldToAllAndOneWhatIsToldToIt() async throws {
        try await OpenBroker().suite.tellsEveryInboxWhatIsToldToAllAndOneWhatIsToldToIt()
    }

    @Test func givesReportsToOneReaderAtATime() async throws {
        try await OpenBroker().suite.givesReportsToOneReaderAtATime()
    }
}

/// What only this one does, or does in its own way.
@Suite(.timeLimit(.minutes(2)))
struct EmbeddedBrokerTests {
    // MARK: Several things as one

    @Test func publishesAllOrNothing() async throws {
        let client = try await OpenBroker().client()
        await client.declare(.actor("a"))
        let messages = [Message("1", to: "a"), Message("2", to: "nobody"), Message("3", to: "a")]
        let results = await client.publish(messages, acknowledging: nil, timeout: .seconds(5))
        #expect(results.map { $0.code } == [.refused, .unroutable, .refused])
        let arrivals = Arrivals(await client.deliveries(from: .actor("a"), prefetch: 10))
        let good = (1...1000).map { Message("\($0)", to: "a") }
        #expect(await client.publish(good, acknowledging: nil, timeout: .seconds(5)).allSatisfy { $0.code == nil })
        try await eventually("ten have come") { arrivals.all.count == 10 }
        #expect(arrivals.all.map(\.body) == good[..<10].map(\.body))
        await client.shutdown()
    }

    @Test func acknowledgesWithWhatItPublishes() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        await client.declare(.actor("out"))
        let arrivals = Arrivals(await client.deliveries(from: .actor("in"), prefetch: 1))
        await client.declare(.actor("in"))
        for text in ["1", "2"] { try await client.publish(Message(text, to: "in"), timeout: .seconds(5)) }
        try await eventually("the first has come") { arrivals.all.count == 1 }
        // What cannot be published leaves the delivery as it is.
        let nowhere = await client.publish(
            [Message("x", to: "nobody")], acknowledging: arrivals.all[0], timeout: .seconds(5))
        #expect(nowhere.map { $0.code } == [.unroutable])
        #expect(arrivals.all.count == 1)
        let onward = await client.publish(
            [Message("x", to: "out")], acknowledging: arrivals.all[0], timeout: .seconds(5))
        #expect(onward.map { $0.code } == [nil])
        try await eventually("the second has come") { arrivals.all.count == 2 }
        // Settled already: nothing happens.
        await client.settle(arrivals.all[0], .requeue)
        await client.settle(arrivals.all[0], .acknowledge)
        await client.settle(arrivals.all[1], .acknowledge)
        #expect(try await open.ready("in") == 0)
        #expect(try await open.ready("out") == 1)
        await client.shutdown()
    }

    @Test func whatWasHandedBackMeanwhileIsPublishedAndComesAgain() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        await client.declare(.actor("out"))
        let arrivals = Arrivals(await client.deliveries(from: .actor("in"), prefetch: 1))
        await client.declare(.actor("in"))
        try await client.publish(Message("1", to: "in"), timeout: .seconds(5))
        try await eventually("it has come") { arrivals.all.count == 1 }
        await client.pause(.actor("in"))
        await client.settle(arrivals.all[0], .requeue)
        let results = await client.publish(
            [Message("x", to: "out")], acknowledging: arrivals.all[0], timeout: .seconds(5))
        #expect(results.map { $0.code } == [nil])
        #expect(try await open.ready("in") == 1)
        await client.shutdown()
    }

    // MARK: Many

    /// Bodies are read as they are wanted.
    @Test func aLongQueueCostsNoMemory() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        await client.declare(.actor("a"))
        let before = residentBytes
        for _ in 0..<50 {
            let messages = (0..<200).map { number in
                Message(to: .actor("a"), id: "m", body: [UInt8](repeating: UInt8(number), count: 10_000))
            }
            _ = await client.publish(messages, acknowledging: nil, timeout: .seconds(60))
        }
        #expect(try await open.ready("a") == 10_000)
        let arrivals = Arrivals(await client.deliveries(from: .actor("a"), prefetch: 10))
        try await eventually("ten have come") { arrivals.all.count == 10 }
        // 100 MB lie there.
        #expect(residentBytes - before < 50_000_000)
        await client.shutdown()
    }

    @Test func largeMessagesAreTakenAFewAtATime() async throws {
        let client = try await OpenBroker().client()
        await client.declare(.actor("a"))
        let count = 24
        for number in 0..<count {
            let body = [UInt8](repeating: UInt8(number), count: 3_000_000)
            try await client.publish(Message(to: .actor("a"), id: "m", body: body), timeout: .seconds(20))
        }
        let deliveries = await client.deliveries(from: .actor("a"), prefetch: 10)
        let firsts = try await within(.seconds(60), "all of them") {
            var firsts: [UInt8] = []
            for await delivery in deliveries {
                firsts.append(delivery.body[2_999_999])
                await client.settle(delivery, .acknowledge)
                if firsts.count == count { break }
            }
            return firsts
        }
        #expect(firsts == (0..<count).map { UInt8($0) })
        await client.shutdown()
    }

    @Test func consumersTakeTurns() async throws {
        let open = try await OpenBroker()
        let clients = (0..<4).map { _ in open.client() }
        var arrivals: [Arrivals] = []
        for client in clients { arrivals.append(Arrivals(await client.deliveries(from: .actor("a"), prefetch: 5))) }
        await clients[0].declare(.actor("a"))
        let messages = (0..<100).map { Message("\($0)", to: "a") }
        _ = await clients[0].publish(messages, acknowledging: nil, timeout: .seconds(5))
        let all = arrivals
        try await eventually("each has five") { all.allSatisfy { $0.all.count == 5 } }
        #expect(Set(all.flatMap { $0.all.map(\.body) }).count == 20)
        for client in clients { await client.shutdown() }
    }

    // MARK: Delays

    @Test func delaysAreExactAndBounded() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        let arrivals = Arrivals(await client.deliveries(from: .actor("a"), prefetch: 200))
        await client.declare(.actor("a"))
        let start = ContinuousClock.now
        var messages: [Message] = []
        for delay in [0, 10, 30, 73, 111, 222, 333, 10_000_000_000] {
            messages.append(
                Message(to: .actor("a"), id: "\(delay)", body: Array("\(delay)".utf8), delay: .milliseconds(delay)))
        }
        _ = await client.publish(messages, acknowledging: nil, timeout: .seconds(5))
        for (count, delay) in [(2, 0), (3, 50), (4, 73), (5, 111), (6, 222), (7, 333)] {
            try await eventually("number \(count)") { arrivals.all.count >= count }
            #expect(ContinuousClock.now - start >= .milliseconds(delay - 2))
        }
        let order = arrivals.all.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(order == ["0", "10", "30", "73", "111", "222", "333"])
        let due = try await open.file.read { try Int64.fetchOne($0, sql: "SELECT due FROM broker_delayed") ?? 0 }
        let days = Double(due) / 1000 / 86_400 - Date().timeIntervalSince1970 / 86_400
        #expect(abs(days - 30) < 0.01)
        await client.shutdown()
    }

    // MARK: Control

    @Test func inboxesGoWithTheirOwners() async throws {
        let open = try await OpenBroker()
        let (owner, other) = (open.client(), open.client())
        await owner.declare(.control(inbox: "one"))
        try await other.publish(Message(to: .controlInbox("one"), id: "", body: [1]), timeout: .seconds(5))
        try await other.publish(Message(to: .control, id: "", body: [2]), timeout: .seconds(5))
        await owner.shutdown()
        let late = Message(to: .controlInbox("one"), id: "", body: [])
        await #expect { try await other.publish(late, timeout: nil) } throws: {
            ($0 as? TransportError)?.code == .unroutable
        }
        await other.declare(.controlRequests)
        await other.declare(.control(inbox: "two"))
        try await other.publish(Message(to: .controlRequests, id: "", body: [3]), timeout: .seconds(5))
        await open.close()
        let after = try await OpenBroker(in: open.folder)
        let rows = try await after.file.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM broker_messages") }
        #expect(rows == 0)
        #expect(try await EmbeddedQueues(after.broker).look(at: [.controlRequests]).isEmpty)
    }

    @Test func whatNobodyAnswersInAMinuteIsDropped() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        await client.declare(.controlRequests)
        for text in ["old", "new"] {
            try await client.publish(Message(to: .controlRequests, id: text, body: Array(text.utf8)), timeout: nil)
        }
        try await open.file.write {
            try $0.execute(sql: "UPDATE broker_messages SET published_at = published_at - 61 WHERE id = 'old'")
        }
        let arrivals = Arrivals(await client.deliveries(from: .controlRequests, prefetch: 5))
        try await eventually("one has come") { arrivals.all.count == 1 }
        #expect(arrivals.all[0].body == Array("new".utf8))
        #expect(try await open.file.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM broker_messages") } == 1)
        await client.shutdown()
    }

    // MARK: A disk in trouble

    @Test func aFullDiskRefusesAndLosesNothing() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        let arrivals = Arrivals(await client.deliveries(from: .actor("a"), prefetch: 2))
        await client.declare(.actor("a"))
        for number in 0..<10 { try await client.publish(Message("\(number)", to: "a"), timeout: .seconds(5)) }
        try await eventually("two have come") { arrivals.all.count == 2 }

        // SQLite's own limit, answered as a full disk is.
        try await open.file.write { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        let large = Message(to: .actor("a"), id: "large", body: [UInt8](repeating: 1, count: 100_000))
        await #expect {
            try await client.publish(large, timeout: .seconds(5))
        } throws: {
            ($0 as? TransportError)?.code == .refused && "\($0)".contains("no room left")
        }
        #expect(await client.blockedReason()?.contains("no room left") == true)
        #expect(await client.impediment()?.contains("no room left") == true)
        // The small one that was asked for at the same time fits.
        let refused = Task { try await client.publish(large, timeout: .seconds(5)) }
        await client.settle(arrivals.all[0], .acknowledge)
        await #expect(throws: TransportError.self) { try await refused.value }

        try await open.file.write { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        try await eventually("it is over, without anybody's doing") { await client.impediment() == nil }
        try await client.publish(large, timeout: .seconds(5))
        for number in 1..<10 {
            try await eventually("number \(number) has come") { arrivals.all.count > number }
            await client.settle(arrivals.all[number], .acknowledge)
        }
        try await eventually("the large one has come") { arrivals.all.count == 11 }
        #expect(arrivals.all[..<10].map(\.body) == (0..<10).map { Array("\($0)".utf8) })
        await client.shutdown()
    }

    /// Nothing is handed out that was not counted on the disk before.
    @Test func aFileThatCannotBeWrittenIsWaitedFor() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        await client.declare(.actor("a"))
        try await open.file.write {
            try $0.execute(
                sql: """
                    CREATE TRIGGER counts BEFORE UPDATE ON broker_messages BEGIN SELECT raise(ABORT, 'no'); END;
                    CREATE TRIGGER gone BEFORE DELETE ON broker_messages BEGIN SELECT raise(ABORT, 'no'); END;
                    """)
        }
        let arrivals = Arrivals(await client.deliveries(from: .actor("a"), prefetch: 2))
        // It is asked for together with a take that fails, and goes alone then.
        for number in 0..<3 { try await client.publish(Message("\(number)", to: "a"), timeout: .seconds(5)) }
        try await eventually("it is seen") { await client.impediment()?.contains("cannot write") == true }
        try await Task.sleep(for: .milliseconds(300))
        #expect(arrivals.all.isEmpty)
        try await open.file.write { try $0.execute(sql: "DROP TRIGGER counts") }
        try await eventually("they come") { arrivals.all.count == 2 }
        try await eventually("it is over") { await client.impediment() == nil }
        #expect(arrivals.all.map(\.priorDeliveries) == [0, 0])

        // Settling does not wait for better times, and is not forgotten.
        try await within(.seconds(5), "an answer") { await client.settle(arrivals.all[0], .acknowledge) }
        #expect(await client.impediment() != nil)
        try await open.file.write { try $0.execute(sql: "DROP TRIGGER gone") }
        try await eventually("it is over") { await client.impediment() == nil }
        #expect(try await open.file.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM broker_messages") } == 2)
        await client.shutdown()
    }

    @Test func aBrokerInTroubleCanBeClosed() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        let arrivals = Arrivals(await client.deliveries(from: .actor("a"), prefetch: 2))
        await client.declare(.actor("a"))
        try await client.publish(Message("1", to: "a"), timeout: .seconds(5))
        try await eventually("it has come") { arrivals.all.count == 1 }
        try await open.file.write { try $0.execute(sql: "PRAGMA query_only = 1") }
        await #expect { try await client.publish(Message("2", to: "a"), timeout: .seconds(5)) } throws: {
            ($0 as? TransportError)?.code == .refused
        }
        await client.settle(arrivals.all[0], .acknowledge)
        try await within(.seconds(5), "the end") { await open.broker.close() }
        await #expect { try await client.publish(Message("3", to: "a"), timeout: nil) } throws: {
            ($0 as? TransportError)?.code == .stopped
        }
        await open.file.close()
        let after = try await OpenBroker(in: open.folder)
        #expect(try await after.ready("a") == 1, "what could not be acknowledged comes again")
    }

    @Test func aCallerWaitsNoLongerThanItSaid() async throws {
        let open = try await OpenBroker()
        let client = open.client()
        await client.declare(.actor("a"))
        let gate = DispatchSemaphore(value: 0)
        let held = Task { try await open.file.write { _ in gate.wait() } }
        try await Task.sleep(for: .milliseconds(50))
        await #expect { try await client.publish(Message("1", to: "a"), timeout: .milliseconds(100)) } throws: {
            ($0 as? TransportError)?.code == .timeout
        }
        gate.signal()
        try await held.value
        try await client.publish(Message("2", to: "a"), timeout: .seconds(5))
        await client.shutdown()
    }

    private var residentBytes: Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return (pages.flatMap { Int($0[1]) } ?? 0) * 4096
    }
}

extension Result<Void, TransportError> {
    var code: TransportError.Code? { if case .failure(let error) = self { error.code } else { nil } }
}
