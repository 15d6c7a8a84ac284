import TestSupport
import Testing

@testable import AMQP

struct ConfirmWindowTests {
    typealias Window = ConfirmWindow<Int>

    /// A broker that confirms publishes in any order, alone or in runs, and returns some; checked against a dictionary.
    @Test(arguments: 0..<200)
    func eachPublishHearsOfItsOwnFateOnce(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var window = Window()
        var open: [UInt64: Window.Outcome] = [:]
        var last: UInt64 = 0
        for _ in 0..<400 {
            if Int.random(in: 0..<3, using: &generator) > 0 {
                last += 1
                // Few ids and keys: the same message may be on its way more than once.
                let (id, key) = ("m\(last % 7)", "k\(last % 2)")
                window.sent(Int(last), messageID: id, routingKey: key)
                open[last] = .confirmed
                if Int.random(in: 0..<4, using: &generator) == 0 {
                    window.returned(messageID: id, routingKey: key, reason: "312 NO_ROUTE")
                    // The broker means one of those; which, the frame doesn't say. The oldest in the window is taken.
                    let taken = open.keys.sorted().first {
                        "m\($0 % 7)" == id && "k\($0 % 2)" == key && open[$0] == .confirmed
                    }
                    open[taken!] = .returned("312 NO_ROUTE")
                }
            } else if let number = open.keys.randomElement(using: &generator) {
                let isMultiple = Bool.random(using: &generator)
                let isAck = Int.random(in: 0..<5, using: &generator) > 0
                let settled = isMultiple ? open.filter { $0.key <= number } : open.filter { $0.key == number }
                let expected = settled.map { (Int($0.key), isAck ? $0.value : .refused) }.sorted { $0.0 < $1.0 }
                let outcomes = window.settled(number, multiple: isMultiple, isAck: isAck)
                #expect(outcomes.map(\.0) == expected.map(\.0))
                #expect(outcomes.map(\.1) == expected.map(\.1))
                for key in settled.keys { open[key] = nil }
                #expect(window.settled(number, multiple: false, isAck: true).isEmpty, "told twice")
            }
            #expect(window.count == open.count)
        }
        #expect(window.drain() == open.keys.sorted().map(Int.init))
        #expect(window.count == 0)
    }

    @Test func zeroAndMultipleMeansAllSoFar() {
        var window = Window()
        #expect(window.settled(0, multiple: true, isAck: true).isEmpty)
        for number in 1...3 { window.sent(number, messageID: "", routingKey: "") }
        #expect(window.settled(0, multiple: true, isAck: true).map(\.0) == [1, 2, 3])
        window.sent(4, messageID: "", routingKey: "")
        #expect(window.settled(4, multiple: false, isAck: true).map(\.0) == [4])
    }

    @Test func numbersThatWereNeverSentMeanNothing() {
        var window = Window()
        window.sent(1, messageID: "a", routingKey: "k")
        #expect(window.settled(0, multiple: false, isAck: true).isEmpty)
        #expect(window.settled(2, multiple: false, isAck: true).isEmpty)
        #expect(window.settled(.max, multiple: true, isAck: false).isEmpty)
        window.returned(messageID: "b", routingKey: "k", reason: "r")
        window.returned(messageID: "a", routingKey: "other", reason: "r")
        #expect(window.settled(1, multiple: false, isAck: true).map(\.1) == [.confirmed])
    }

    @Test func aReturnedMessageIsReturnedOnlyOnceItIsConfirmed() {
        var window = Window()
        window.sent(1, messageID: "a", routingKey: "k")
        window.sent(2, messageID: "a", routingKey: "k")
        window.returned(messageID: "a", routingKey: "k", reason: "first")
        window.returned(messageID: "a", routingKey: "k", reason: "second")
        #expect(window.count == 2)
        #expect(window.settled(2, multiple: true, isAck: true).map(\.1) == [.returned("first"), .returned("second")])
    }
}
