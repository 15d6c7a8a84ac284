internal import HeapModule

/// Decides who gets which message of one queue. Pure: the file is somebody else's.
///
/// A message is known by its place in the file, a number that only grows. Those up to the cursor have been read: they
/// are at a consumer, have come back, or are gone. Those behind it are only counted, so a million waiting messages cost
/// no more than one.
///
/// A take goes in two steps, since the file is slow: `take` promises rooms to messages, `took` or `failedToTake` says
/// what came of it. There is one at a time. Anything else may happen in between.
struct QueueMachine: Sendable {
    typealias Place = Int64
    typealias ConsumerID = UInt64

    /// What to read, in this order.
    struct Take: Sendable, Hashable {
        /// Those that came back, first come first.
        var returned: [Place] = []
        /// Then at most so many ...
        var unread = 0
        /// ... of those behind this place.
        var cursor: Place
    }

    /// One at a time gets everything, the one that has been there for longest.
    private let hasSingleConsumer: Bool
    /// Those that may get something, in the order in which they came.
    private var consumers: [Consumer] = []
    /// Who is next to be asked whether there is room.
    private var turn = 0
    private var holders: [Place: ConsumerID] = [:]
    private var returned = Heap<Place>()
    private var unread: Int
    private var cursor: Place = 0
    private var promised: (take: Take, rooms: [ConsumerID])?

    private struct Consumer {
        enum Wish { case more, pause, noMore }

        let id: ConsumerID
        let prefetch: Int
        var wish: Wish
        /// Messages that it holds, or that are promised to it.
        var held = 0

        var hasRoom: Bool { wish == .more && held < prefetch }
    }

    /// - Parameter waiting: messages that lie in the file.
    init(waiting: Int, hasSingleConsumer: Bool = false) {
        unread = waiting
        self.hasSingleConsumer = hasSingleConsumer
    }

    /// Messages that nobody has.
    var ready: Int { unread + returned.count }

    /// Those that take, or would if they had room.
    var consumerCount: Int { consumers.count { $0.wish == .more } }

    // MARK: Consumers

    mutating func join(_ id: ConsumerID, prefetch: Int, isPaused: Bool) {
        consumers.append(Consumer(id: id, prefetch: prefetch, wish: isPaused ? .pause : .more))
    }

    mutating func pause(_ id: ConsumerID) { if index(of: id, .more) != nil { set(id, .pause) } }

    /// It comes behind the others: who is the only one to get something keeps that.
    mutating func resume(_ id: ConsumerID) {
        guard let index = index(of: id, .pause) else { return }
        var consumer = consumers.remove(at: index)
        consumer.wish = .more
        consumers.append(consumer)
    }

    /// It gets nothing any more, and may keep what it has.
    mutating func retire(_ id: ConsumerID) { set(id, .noMore) }

    /// What it has comes back.
    mutating func leave(_ id: ConsumerID) {
        consumers.removeAll { $0.id == id }
        for (place, holder) in holders where holder == id {
            holders[place] = nil
            returned.insert(place)
        }
    }

    private mutating func set(_ id: ConsumerID, _ wish: Consumer.Wish) {
        for index in consumers.indices where consumers[index].id == id { consumers[index].wish = wish }
    }

    private func index(of id: ConsumerID, _ wish: Consumer.Wish) -> Int? {
        consumers.firstIndex { $0.id == id && $0.wish == wish }
    }

    // MARK: Messages

    /// They lie in the file now, behind all others.
    mutating func arrived(_ count: Int) { unread += count }

    /// They were taken out by somebody who is no consumer, from behind the cursor.
    mutating func removedUnread(_ count: Int) { unread -= count }

    /// The message is to go from the file.
    /// - Returns: false where it is not that consumer's, or not any more.
    mutating func acknowledge(_ place: Place, by id: ConsumerID) -> Bool { release(place, by: id) }

    /// It comes back to where it was.
    /// - Returns: false where it is not that consumer's, or not any more.
    @discardableResult
    mutating func giveBack(_ place: Place, by id: ConsumerID) -> Bool {
        guard release(place, by: id) else { return false }
        returned.insert(place)
        return true
    }

    /// An acknowledged one is still in the file: it is the consumer's again, or comes back where that has left.
    mutating func restore(_ place: Place, to id: ConsumerID) {
        guard let index = consumers.firstIndex(where: { $0.id == id }) else { return returned.insert(place) }
        consumers[index].held += 1
        holders[place] = id
    }

    private mutating func release(_ place: Place, by id: ConsumerID) -> Bool {
        guard holders[place] == id else { return false }
        holders[place] = nil
        changeHeld(of: id, by: -1)
        return true
    }

    private mutating func changeHeld(of id: ConsumerID, by difference: Int) {
        for index in consumers.indices where consumers[index].id == id { consumers[index].held += difference }
    }

    // MARK: Taking

    /// Promises what there is to those who have room.
    /// - Parameters:
    ///   - arriving: messages that will have `arrived` when this take is read.
    ///   - limit: of messages, at least 1.
    /// - Returns: `nil` where there is nothing to take, nobody to give it to, or a take under way.
    mutating func take(arriving: Int = 0, atMost limit: Int) -> Take? {
        guard promised == nil else { return nil }
        let wanted = min(ready + arriving, limit)
        var rooms: [ConsumerID] = []
        while rooms.count < wanted, let index = nextRoom() {
            consumers[index].held += 1
            rooms.append(consumers[index].id)
            turn = index + 1
        }
        if rooms.isEmpty { return nil }
        var take = Take(cursor: cursor)
        while take.returned.count < rooms.count, let place = returned.popMin() { take.returned.append(place) }
        take.unread = rooms.count - take.returned.count
        promised = (take, rooms)
        return take
    }

    private func nextRoom() -> Int? {
        if hasSingleConsumer {
            let active = consumers.firstIndex { $0.wish == .more }
            return active.flatMap { consumers[$0].hasRoom ? $0 : nil }
        }
        for offset in consumers.indices {
            let index = (turn + offset) % consumers.count
            if consumers[index].hasRoom { return index }
        }
        return nil
    }

    /// The take has been carried out.
    /// - Parameters:
    ///   - places: what was read, in its order; fewer than asked for where they are large.
    ///   - withdrawn: what was found on the way and taken out of the queue.
    /// - Returns: who gets what. What is promised to somebody who has left comes back.
    mutating func took(_ places: [Place], withdrawn: [Place] = []) -> [(Place, ConsumerID)] {
        guard let (take, rooms) = promised else { return [] }
        promised = nil
        for id in rooms { changeHeld(of: id, by: -1) }
        let seen = Set(places).union(withdrawn)
        for place in take.returned where !seen.contains(place) { returned.insert(place) }
        for place in seen where place > take.cursor {
            unread -= 1
            cursor = max(cursor, place)
        }
        var gifts: [(Place, ConsumerID)] = []
        for (place, id) in zip(places, rooms) {
            guard let index = consumers.firstIndex(where: { $0.id == id && $0.wish != .noMore }) else {
                returned.insert(place)
                continue
            }
            consumers[index].held += 1
            holders[place] = id
            gifts.append((place, id))
        }
        return gifts
    }

    /// Nothing was read: all is as before.
    mutating func failedToTake() {
        guard let (take, rooms) = promised else { return }
        promised = nil
        for id in rooms { changeHeld(of: id, by: -1) }
        for place in take.returned { returned.insert(place) }
    }
}
