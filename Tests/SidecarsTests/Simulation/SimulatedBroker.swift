import Envelopes
import EventLoops
import Transports

@testable import Sidecars

/// Queues that keep what they have accepted, and give it out until it is settled.
final class SimulatedBroker {
    struct Stored {
        let id: String
        let body: [UInt8]
        /// In seconds.
        let publishedAt: Int
        /// How often it has been delivered before, as the message itself says or as the queue counts.
        var priorDeliveries = 0
        var isRedelivered = false
    }

    /// A message that a sidecar has been given.
    struct Given {
        let message: Stored
        let tag: Int
        let link: Link
        /// As `DeliveryMachine` wants to know it.
        let uncountedDeliveries: Int?
    }

    /// The connection over which one sidecar consumes.
    final class Link {
        let actor: String
        let prefetch: Int
        unowned let sidecar: SimulatedSidecar
        fileprivate(set) var isOpen = true
        var isConsuming = true
        /// The sidecar has noticed that the connection is gone.
        var isKnownLost = false
        fileprivate var isClosing = false
        fileprivate var unsettled: [(tag: Int, message: Stored)] = []
        /// Settlements that the broker has not read yet.
        fileprivate var onTheirWay = 0

        init(actor: String, prefetch: Int, sidecar: SimulatedSidecar) {
            self.actor = actor
            self.prefetch = prefetch
            self.sidecar = sidecar
        }

        fileprivate var takesMore: Bool { isOpen && isConsuming && unsettled.count < prefetch }
    }

    private unowned let world: Simulation
    /// Quorum queues count deliveries, classic ones do not.
    private let countsDeliveries: Bool
    private var queues: [String: [Stored]]
    private var links: [String: [Link]] = [:]
    private var missing: [String: ClosedRange<MonotonicTime>] = [:]
    private var delayed = 0
    private var lastTag = 0
    private var acknowledgedWithMessages: Set<Int> = []
    /// Ids of the messages there; empty ones of what has none.
    private(set) var deadLetters: Set<String> = []

    var deliveries: Int { lastTag }

    init(queues names: [String], countsDeliveries: Bool, in world: Simulation) {
        self.world = world
        self.countsDeliveries = countsDeliveries
        queues = Dictionary(uniqueKeysWithValues: names.map { ($0, []) })
    }

    /// What is still to be worked on, in words.
    var remains: [String] {
        let unsettled = links.values.joined().map(\.unsettled.count).reduce(0, +)
        var remains = queues.filter { !$1.isEmpty }.keys.sorted().map { "the queue of \($0) is not empty" }
        if delayed > 0 { remains.append("\(delayed) messages still wait for their time") }
        if unsettled > 0 { remains.append("\(unsettled) deliveries were never settled") }
        return remains
    }

    func loseQueue(_ name: String, for time: Duration) {
        missing[name] = world.timeline.now...world.timeline.now.advanced(by: time)
    }

    // MARK: Publishing

    /// Takes a message to its queue.
    func accept(_ message: Message) -> Result<Void, TransportError> {
        let priorDeliveries = countsDeliveries ? 0 : message.priorDeliveries
        let stored = Stored(
            id: message.id, body: message.body, publishedAt: Int(world.timeline.now.nanoseconds / 1_000_000_000),
            priorDeliveries: priorDeliveries)
        switch message.destination {
        case .actor(let name):
            world.inspectTrace(of: message)
            if message.delay > .zero {
                delayed += 1
                let error = Double(world.chance.number(90...110)) / 100
                world.timeline.after(message.delay * error) { self.release(stored, to: name) }
                return .success(())
            }
            guard isThere(name) else { return .failure(TransportError(.unroutable, "no queue")) }
            put(stored, into: name)
        case .deadLetters: die(stored)
        default: world.violation("a message to \(message.destination)")
        }
        return .success(())
    }

    /// Takes all or nothing, and with it the end of a delivery.
    func accept(
        _ outgoing: [DeliveryMachine.Outgoing], acknowledging given: Given?
    ) -> [Result<Void, TransportError>] {
        let missing = outgoing.map { one in
            guard let message = one.message, case .actor(let name) = message.destination else { return false }
            return message.delay == .zero && !isThere(name)
        }
        if missing.contains(true) {
            return missing.map { .failure(TransportError($0 ? .unroutable : .refused, "no queue")) }
        }
        for one in outgoing {
            switch one {
            case .envelope(let message, _), .message(let message): _ = accept(message)
            case .report(let report): world.report(report)
            }
        }
        // One that has been put back already stays where it is.
        if let given, given.link.unsettled.contains(where: { $0.tag == given.tag }) {
            acknowledgedWithMessages.insert(given.tag)
            given.link.unsettled.removeAll { $0.tag == given.tag }
            dispatch(given.link.actor)
        }
        return outgoing.map { _ in .success(()) }
    }

    private func isThere(_ name: String) -> Bool {
        queues[name] != nil && missing[name]?.contains(world.timeline.now) != true
    }

    /// A delay is over. A message whose queue is not there stays where it is.
    private func release(_ message: Stored, to name: String) {
        guard isThere(name) else {
            return world.timeline.after(.milliseconds(100)) { self.release(message, to: name) }
        }
        delayed -= 1
        put(message, into: name)
    }

    private func put(_ message: Stored, into name: String) {
        world.note("broker: \(message.id) into \(name)")
        queues[name, default: []].append(message)
        dispatch(name)
    }

    private func die(_ message: Stored) {
        world.note("broker: \(message.id) into the dead letters")
        deadLetters.insert(message.id)
    }

    // MARK: Consuming

    func open(_ link: Link) {
        links[link.actor, default: []].append(link)
        dispatch(link.actor)
    }

    func resume(_ link: Link) {
        link.isConsuming = true
        dispatch(link.actor)
    }

    /// The connection is gone: what was unsettled is in the queue again.
    func close(_ link: Link) {
        guard link.isOpen else { return }
        link.isOpen = false
        links[link.actor]?.removeAll { $0 === link }
        for (_, message) in link.unsettled.reversed() { putBack(message, into: link.actor) }
        link.unsettled = []
        dispatch(link.actor)
    }

    /// An orderly end: what was said before it is heard before it.
    func closeInTurn(_ link: Link) {
        link.isConsuming = false
        if link.onTheirWay == 0 { close(link) } else { link.isClosing = true }
    }

    /// Takes effect a little later, if the connection lives until then.
    func settle(_ given: Given, _ settlement: Settlement) {
        let link = given.link
        link.onTheirWay += 1
        world.timeline.after(world.latency()) {
            link.onTheirWay -= 1
            self.settled(given, settlement)
            if link.isClosing { self.closeInTurn(link) }
        }
    }

    private func settled(_ given: Given, _ settlement: Settlement) {
        let link = given.link
        guard link.isOpen, acknowledgedWithMessages.remove(given.tag) == nil else { return }
        guard let index = link.unsettled.firstIndex(where: { $0.tag == given.tag }) else {
            return world.violation("\(given.message.id): a delivery to \(link.actor) was settled twice")
        }
        let message = link.unsettled.remove(at: index).message
        if settlement == .requeue { putBack(message, into: link.actor) }
        dispatch(link.actor)
    }

    private func putBack(_ message: Stored, into name: String) {
        var message = message
        message.isRedelivered = true
        if countsDeliveries { message.priorDeliveries += 1 }
        if countsDeliveries && message.priorDeliveries > Simulation.deliveryLimit(of: name) {
            die(message)
        } else {
            queues[name]?.insert(message, at: 0)
        }
    }

    private func dispatch(_ name: String) {
        while let count = queues[name]?.count, count > 0 {
            let ready = (links[name] ?? []).filter(\.takesMore)
            guard !ready.isEmpty else { return }
            let index = world.strikes(.reordered) ? world.chance.number(0...count - 1) : 0
            guard let message = queues[name]?.remove(at: index) else { return }
            give(message, to: world.chance.pick(ready))
        }
    }

    private func give(_ message: Stored, to link: Link) {
        lastTag += 1
        link.unsettled.append((lastTag, message))
        let isUncounted = !countsDeliveries && message.isRedelivered
        let given = Given(
            message: message, tag: lastTag, link: link,
            uncountedDeliveries: isUncounted ? message.priorDeliveries + 1 : nil)
        world.timeline.after(world.latency()) {
            if link.isOpen { link.sidecar.receive(given) }
        }
    }
}
