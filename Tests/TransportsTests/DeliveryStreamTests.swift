import TestSupport
import Testing

@testable import Transports

@Suite(.timeLimit(.minutes(1)))
struct DeliveryStreamTests {
    static func delivery(_ number: Int) -> Delivery {
        Delivery(
            token: .init(generation: 1, tag: UInt64(number)), source: .actor("a"), body: Array("\(number)".utf8),
            isRedelivered: false)
    }

    @Test func givesEachOnceAndInOrder() async {
        let stream = DeliveryStream()
        let reading = Task { await stream.reduce(into: [[UInt8]]()) { $0.append($1.body) } }
        for number in 0..<1000 {
            stream.yield(Self.delivery(number))
            if number.isMultiple(of: 100) { await Task.yield() }
        }
        stream.finish()
        #expect(await reading.value == (0..<1000).map { Array("\($0)".utf8) })
    }

    @Test func givesWhatHasGatheredInOneGo() async {
        let stream = DeliveryStream()
        for number in 0..<5 { stream.yield(Self.delivery(number)) }
        #expect(stream.count == 5)
        #expect(await stream.nextBatch(limit: 3)?.map(\.token.tag) == [0, 1, 2])
        #expect(await stream.nextBatch(limit: 3)?.map(\.token.tag) == [3, 4])
        stream.finish()
        #expect(await stream.nextBatch(limit: 3) == nil)
    }

    @Test func severalReadersTakeEachOnce() async {
        let stream = DeliveryStream()
        let readers = (0..<3).map { _ in Task { await stream.reduce(into: [UInt64]()) { $0.append($1.token.tag) } } }
        for number in 0..<300 {
            stream.yield(Self.delivery(number))
            await Task.yield()
        }
        stream.finish()
        var tags: [UInt64] = []
        for reader in readers { tags += await reader.value }
        #expect(tags.sorted() == (0..<300).map { UInt64($0) })
    }

    /// A task that is cancelled reads no more; what it has not read is there for the next.
    @Test func aCancelledReaderLeavesTheRest() async throws {
        let stream = DeliveryStream()
        for _ in 0..<200 {
            let reader = Task { await stream.nextBatch(limit: 1) }
            if Bool.random() { await Task.yield() }
            reader.cancel()
            #expect(await reader.value == nil)
        }
        stream.yield(Self.delivery(7))
        #expect(await stream.nextBatch(limit: 10)?.map(\.token.tag) == [7])
        #expect(await Task { await DeliveryStream.ended.nextBatch(limit: 1) }.value == nil)
    }
}
