import EventLoops
import Synchronization

/// The virtual time as the world's clocks show it: it began in 1970.
final class WallClock: Sendable {
    let microseconds = Atomic<Int64>(0)
}

/// Virtual time: what is planned happens in its order, without waiting. An hour takes milliseconds.
final class Timeline {
    private(set) var now = MonotonicTime(nanoseconds: 0)
    let wallClock = WallClock()
    /// The next one stands last.
    private var events: [Event] = []
    private var planned = 0

    private struct Event {
        let time: MonotonicTime
        /// Of two at the same time, the one that was planned first comes first.
        let number: Int
        let action: () -> Void

        func isAfter(_ other: Event) -> Bool { (time, number) > (other.time, other.number) }
    }

    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        planned += 1
        let event = Event(time: now.advanced(by: delay), number: planned, action: action)
        var (low, high) = (0, events.count)
        while low < high {
            let middle = (low + high) / 2
            if events[middle].isAfter(event) { low = middle + 1 } else { high = middle }
        }
        events.insert(event, at: low)
    }

    /// Runs until nothing is planned any more. `false`: there is no end to it.
    func run(atMost limit: Int) -> Bool {
        var happened = 0
        while let event = events.popLast() {
            happened += 1
            if happened > limit { return false }
            now = event.time
            wallClock.microseconds.store(Int64(now.nanoseconds / 1000), ordering: .relaxed)
            event.action()
        }
        return true
    }
}
