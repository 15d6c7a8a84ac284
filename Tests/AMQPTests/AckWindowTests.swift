import TestSupport
import Testing

@testable import AMQP

struct AckWindowTests {
    @Test func oneFrameStandsForARun() {
        var window = AckWindow()
        for tag in 1...4 as ClosedRange<UInt64> { window.delivered(tag) }
        #expect(window.acknowledge(2) == true)
        let more = [window.acknowledge(1), window.acknowledge(4)]
        #expect(more == [false, false], "one flush is on its way already")
        #expect(window.flush() == [.init(tag: 2, isMultiple: true), .init(tag: 4, isMultiple: false)])
        #expect(window.flush() == [])
        #expect(window.acknowledge(3) == true)
        #expect(window.flush() == [.init(tag: 3, isMultiple: false)])
    }

    @Test func settlesADeliveryOnce() {
        var window = AckWindow()
        window.delivered(1)
        #expect(window.acknowledge(0) == false)
        #expect(window.acknowledge(2) == false)
        #expect(window.forget(2) == false)
        #expect(window.acknowledge(.max) == false)
        #expect(window.acknowledge(1) == true)
        #expect(window.acknowledge(1) == false)
        #expect(window.forget(1) == false)
        _ = window.flush()
        #expect(window.acknowledge(1) == false)
        #expect(window.forget(1) == false)
        window.delivered(2)
        #expect(window.forget(2) == true)
        #expect(window.acknowledge(2) == false)
        #expect(window.flush() == [])
    }

    /// Against a broker that keeps a set of unsettled tags, and closes the channel for a tag that it doesn't know.
    @Test(arguments: 0..<200)
    func tellsTheBrokerEachAcknowledgementOnceAndNothingElse(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var window = AckWindow()
        var atBroker: Set<UInt64> = []
        var acknowledged: Set<UInt64> = []
        var held: [UInt64] = []
        var lastTag: UInt64 = 0
        for _ in 0..<400 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...4:
                lastTag += 1
                window.delivered(lastTag)
                atBroker.insert(lastTag)
                held.append(lastTag)
            case 5...7 where !held.isEmpty:
                // Mostly in order, as a sidecar does, sometimes not.
                let index = Bool.random(using: &generator) ? 0 : Int.random(in: held.indices, using: &generator)
                let isFirst = acknowledged.isEmpty
                #expect(window.acknowledge(held[index]) == isFirst)
                acknowledged.insert(held.remove(at: index))
            case 8 where !held.isEmpty:
                let tag = held.remove(at: Int.random(in: held.indices, using: &generator))
                #expect(window.forget(tag) == true)
                #expect(atBroker.remove(tag) != nil)
            default:
                var told: Set<UInt64> = []
                for ack in window.flush() {
                    #expect(atBroker.contains(ack.tag), "an unknown tag closes the channel")
                    let settled = ack.isMultiple ? atBroker.filter { $0 <= ack.tag } : [ack.tag]
                    told.formUnion(settled)
                    atBroker.subtract(settled)
                }
                #expect(told == acknowledged)
                acknowledged = []
            }
            #expect(atBroker == Set(held).union(acknowledged))
        }
    }
}
