import TestSupport
import Testing

@testable import EmbeddedTransports

struct QueueMachineTests {
    private func takes(_ machine: inout QueueMachine, _ places: [Int64]) -> [QueueMachine.ConsumerID] {
        _ = machine.take(atMost: places.count)
        return machine.took(places).map(\.1)
    }

    @Test func takesNoMoreThanThereIsRoomFor() {
        var machine = QueueMachine(waiting: 100)
        #expect(machine.take(atMost: 1000) == nil)
        machine.join(1, prefetch: 3, isPaused: false)
        machine.join(2, prefetch: 2, isPaused: true)
        #expect(machine.take(atMost: 1000) == .init(unread: 3, cursor: 0))
        #expect(machine.take(atMost: 1000) == nil, "one at a time")
        #expect(machine.took([5, 6, 9]).map(\.0) == [5, 6, 9])
        #expect(machine.ready == 97)
        #expect(machine.take(atMost: 1000) == nil)
        machine.resume(2)
        #expect(machine.take(atMost: 1) == .init(unread: 1, cursor: 9))
        #expect(machine.took([]).isEmpty)
        #expect(machine.ready == 97)
    }

    @Test func consumersTakeTurns() {
        var machine = QueueMachine(waiting: 10)
        for id: UInt64 in 1...3 { machine.join(id, prefetch: 2, isPaused: false) }
        #expect(takes(&machine, [1, 2, 3, 4]) == [1, 2, 3, 1])
        #expect(takes(&machine, [5]) == [2])
    }

    @Test func theSingleConsumerIsTheFirstUntilItGoes() {
        var machine = QueueMachine(waiting: 10, hasSingleConsumer: true)
        machine.join(1, prefetch: 2, isPaused: false)
        machine.join(2, prefetch: 9, isPaused: false)
        #expect(takes(&machine, [1, 2]) == [1, 1])
        #expect(machine.take(atMost: 1) == nil, "the second waits, though it has room")
        machine.pause(1)
        #expect(takes(&machine, [3]) == [2])
        machine.resume(1)
        #expect(takes(&machine, [4]) == [2], "it keeps what it has got")
        machine.leave(2)
        #expect(machine.take(atMost: 9) == nil, "the first has no room")
        machine.leave(1)
        machine.join(3, prefetch: 9, isPaused: false)
        #expect(machine.take(atMost: 9)?.returned == [1, 2, 3, 4])
    }

    @Test func whatComesBackIsFirstAndInOrder() {
        var machine = QueueMachine(waiting: 10)
        machine.join(1, prefetch: 5, isPaused: false)
        _ = takes(&machine, [10, 20, 30, 40, 50])
        for place: Int64 in [40, 20, 30] { machine.giveBack(place, by: 1) }
        let again = [machine.giveBack(30, by: 1), machine.giveBack(10, by: 2)]
        let acknowledged = [machine.acknowledge(10, by: 1), machine.acknowledge(10, by: 1)]
        #expect(again == [false, false] && acknowledged == [true, false])
        #expect(machine.take(atMost: 9) == .init(returned: [20, 30, 40], unread: 1, cursor: 50))
        // Large ones: only the first was read.
        _ = machine.took([20])
        #expect(machine.take(atMost: 9) == .init(returned: [30, 40], unread: 1, cursor: 50))
        machine.failedToTake()
        #expect(machine.take(atMost: 2) == .init(returned: [30, 40], unread: 0, cursor: 50))
    }

    @Test func whatIsPromisedToWhoHasLeftComesBack() {
        var machine = QueueMachine(waiting: 4)
        machine.join(1, prefetch: 2, isPaused: false)
        machine.join(2, prefetch: 2, isPaused: false)
        _ = machine.take(atMost: 4)
        machine.leave(1)
        machine.pause(2)
        #expect(machine.took([1, 2, 3, 4]).map(\.0) == [2, 4], "what is on its way to a paused one still comes")
        #expect(machine.ready == 2)
        machine.resume(2)
        machine.retire(2)
        #expect(machine.consumerCount == 0)
        let isAcknowledged = machine.acknowledge(2, by: 2)
        #expect(isAcknowledged, "what it has can be settled")
    }

    /// Random days of a queue: nothing lost, nothing at two at once, in order, never more than there is room for.
    @Test(arguments: 0..<5000)
    func holdsWhateverHappens(seed: Int) {
        var day = QueueDay(seed: UInt64(seed))
        for _ in 0..<150 {
            day.step()
            if day.violation != nil { break }
        }
        if day.violation == nil { day.finish() }
        if let violation = day.violation { Issue.record("seed \(seed): \(violation)") }
    }
}

/// A queue with a file that is a list, and consumers that do as they like.
private struct QueueDay {
    private var random: SeededGenerator
    private var machine: QueueMachine
    private let isSingle: Bool
    private(set) var violation: String?

    /// The truth: what lies in the file, and who has what.
    private var file: [Int64] = []
    private var lastPlace: Int64 = 0
    private var atConsumers: [Int64: UInt64] = [:]
    private var prefetches: [UInt64: Int] = [:]
    private var lastConsumer: UInt64 = 0
    private var underWay: (take: QueueMachine.Take, arriving: Int)?
    private var acknowledged: Set<Int64> = []
    private var published = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        isSingle = Bool.random(using: &random)
        let waiting = Int.random(in: 0...5, using: &random)
        machine = QueueMachine(waiting: waiting, hasSingleConsumer: isSingle)
        for _ in 0..<waiting { publish() }
    }

    private mutating func publish() {
        lastPlace += Int64.random(in: 1...3, using: &random)
        file.append(lastPlace)
        published += 1
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func step() {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: join()
        case 1: if let id = prefetches.keys.sorted().randomElement(using: &random) { disturb(id) }
        case 2, 3, 4: settleOne()
        default: if underWay == nil { begin() } else { end(succeeds: !chance(20)) }
        }
        check()
    }

    private mutating func join() {
        lastConsumer += 1
        prefetches[lastConsumer] = Int.random(in: 1...4, using: &random)
        machine.join(lastConsumer, prefetch: prefetches[lastConsumer] ?? 1, isPaused: chance(10))
    }

    private mutating func disturb(_ id: UInt64) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: machine.pause(id)
        case 1: machine.resume(id)
        case 2: machine.retire(id)
        default: leave(id)
        }
    }

    private mutating func leave(_ id: UInt64) {
        machine.leave(id)
        prefetches[id] = nil
        atConsumers = atConsumers.filter { $1 != id }
    }

    private mutating func settleOne() {
        guard let place = atConsumers.keys.sorted().randomElement(using: &random), let id = atConsumers[place] else {
            return
        }
        atConsumers[place] = nil
        if chance(30) {
            if !machine.giveBack(place, by: id) { violation = "\(place) could not be given back" }
        } else if machine.acknowledge(place, by: id) {
            // The disk may not take it: then it is as if nothing had been.
            if chance(10) {
                machine.restore(place, to: id)
                atConsumers[place] = id
            } else {
                acknowledged.insert(place)
                file.removeAll { $0 == place }
            }
        } else {
            violation = "\(place) could not be acknowledged"
        }
    }

    private mutating func begin() {
        let arriving = chance(50) ? Int.random(in: 1...4, using: &random) : 0
        let take = machine.take(arriving: arriving, atMost: Int.random(in: 1...6, using: &random))
        if let take { underWay = (take, arriving) } else { arrive(arriving) }
    }

    private mutating func arrive(_ count: Int) {
        for _ in 0..<count { publish() }
        machine.arrived(count)
    }

    private mutating func end(succeeds: Bool) {
        guard let (take, arriving) = underWay else { return }
        underWay = nil
        guard succeeds else { return machine.failedToTake() }
        arrive(arriving)
        var read = take.returned + file.filter { $0 > take.cursor }.prefix(take.unread)
        if !Set(read).isSubset(of: file) { violation = "asked for what is not in the file" }
        if read != read.sorted() { violation = "not in order" }
        if chance(20) { read.removeLast(Int.random(in: 0..<read.count, using: &random)) }
        var withdrawn: [Int64] = []
        if chance(10), let place = read.randomElement(using: &random) {
            withdrawn = [place]
            acknowledged.insert(place)
            read.removeAll { $0 == place }
            file.removeAll { $0 == place }
        }
        for (place, id) in machine.took(read, withdrawn: withdrawn) {
            if atConsumers[place] != nil { violation = "\(place) is at two consumers" }
            if prefetches[id] == nil { violation = "\(place) went to who has left" }
            atConsumers[place] = id
        }
    }

    private mutating func check() {
        for (id, prefetch) in prefetches where atConsumers.values.count(where: { $0 == id }) > prefetch {
            violation = "consumer \(id) has more than \(prefetch)"
        }
        let promised = (underWay?.take.returned.count ?? 0)
        if machine.ready + promised + atConsumers.count != file.count { violation = "miscounted" }
    }

    /// One who has time gets everything that is left, in order.
    mutating func finish() {
        if underWay != nil { end(succeeds: true) }
        for id in prefetches.keys { leave(id) }
        machine.join(.max, prefetch: 1000, isPaused: false)
        prefetches[.max] = 1000
        var got: [Int64] = []
        while let take = machine.take(atMost: 7) {
            let read = take.returned + file.filter { $0 > take.cursor }.prefix(take.unread)
            got += machine.took(read).map(\.0)
        }
        if got != file { violation = "at the end \(got) of \(file)" }
        if acknowledged.count + file.count != published { violation = "lost" }
    }
}
