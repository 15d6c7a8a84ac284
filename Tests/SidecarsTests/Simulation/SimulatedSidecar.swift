import Envelopes
import EventLoops
import Transports

@testable import Sidecars

/// One process of a sidecar, and the handler beside it, from its start to its end.
final class SimulatedSidecar {
    let policy: DeliveryPolicy
    let replica: Int
    unowned let world: Simulation
    private(set) var isAlive = true
    private var link: SimulatedBroker.Link?
    private let prefetch: Int
    private var isDraining = false
    private var underWay = 0
    private var freeSlots: Int
    private var waitingForSlot: [DeliveryUnderWay] = []

    var name: String { "\(policy.actorName).\(replica)" }

    init(_ policy: DeliveryPolicy, replica: Int, in world: Simulation) {
        self.policy = policy
        self.replica = replica
        self.world = world
        freeSlots = world.chance.number(1...2)
        prefetch = freeSlots + world.chance.number(0...1)
        consume()
    }

    /// Does something later, unless the process has ended by then.
    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        world.timeline.after(delay) { if self.isAlive { action() } }
    }

    // MARK: Deliveries

    private func consume() {
        let link = SimulatedBroker.Link(actor: policy.actorName, prefetch: prefetch, sidecar: self)
        self.link = link
        world.broker.open(link)
    }

    func receive(_ body: [UInt8], tag: Int, over link: SimulatedBroker.Link) {
        // What comes after the consumer was cancelled is nobody's, until the connection ends.
        guard isAlive, !isDraining else { return }
        underWay += 1
        DeliveryUnderWay(body, tag: tag, over: link, at: self).begin()
        if world.strikes(.consumerLost) { after(world.chance.milliseconds(0...200)) { self.loseConsumer(link) } }
    }

    func settle(_ tag: Int, on link: SimulatedBroker.Link, _ settlement: Settlement) {
        if world.strikes(.acknowledgementLost) { return loseConsumer(link) }
        world.broker.settle(tag, on: link, settlement)
    }

    /// The broker notices at once, the sidecar some time later.
    func loseConsumer(_ link: SimulatedBroker.Link? = nil) {
        guard let lost = link ?? self.link, lost === self.link else { return }
        world.note("\(name): the connection that consumes is lost")
        world.broker.close(lost)
        self.link = nil
        after(world.chance.milliseconds(0...1000)) {
            lost.isKnownLost = true
            if !self.isDraining { self.consume() }
        }
    }

    func finished(_ hangs: Bool) {
        underWay -= 1
        if hangs { drain() }
        if isDraining && underWay == 0 { end() }
    }

    // MARK: The handler

    /// Gives the delivery its turn when a call may be made.
    func takeSlot(_ delivery: DeliveryUnderWay) {
        if isDraining { return delivery.called(.failure(.draining)) }
        guard freeSlots > 0 else { return waitingForSlot.append(delivery) }
        freeSlots -= 1
        delivery.call()
    }

    func giveSlot() {
        freeSlots += 1
        if !waitingForSlot.isEmpty && !isDraining { takeSlot(waitingForSlot.removeFirst()) }
    }

    // MARK: Publishing

    /// Carries something to the broker, and the confirm back. What was on the wire when the process ended may arrive.
    func publish(
        _ what: String, _ arrival: @escaping () -> Result<Void, TransportError>,
        then done: @escaping (Result<Void, TransportError>) -> Void
    ) {
        let lost = Result<Void, TransportError>.failure(TransportError(.connectionLost, "as drawn"))
        if world.strikes(.publishRefused) {
            world.note("\(name): \(what) is refused")
            return after(world.latency()) { done(.failure(TransportError(.refused, "as drawn"))) }
        }
        if world.strikes(.publishLost) {
            world.note("\(name): \(what) is lost")
            return after(world.latency()) { done(lost) }
        }
        let isConfirmed = !world.strikes(.confirmLost)
        if !isConfirmed {
            world.note("\(name): the confirm of \(what) is lost")
            after(world.latency()) { done(lost) }
        }
        world.timeline.after(world.latency()) {
            guard self.isAlive || self.world.chance.happens(0.5) else { return }
            let result = arrival()
            if isConfirmed { self.after(self.world.latency()) { done(result) } }
        }
    }

    // MARK: The end

    /// Between any two steps the process may be killed. Whether it goes on.
    func survives(_ step: @autoclosure () -> String) -> Bool {
        guard isAlive else { return false }
        world.note("\(name): \(step())")
        if world.strikes(.crash) {
            world.note("\(name): killed")
            end(gracefully: false)
        }
        return isAlive
    }

    /// As after SIGTERM: takes nothing new, hands back what has not begun, lets the rest finish for a while.
    func drain() {
        guard isAlive, !isDraining else { return }
        world.note("\(name): draining")
        isDraining = true
        link?.isConsuming = false
        let waiting = waitingForSlot
        waitingForSlot = []
        for delivery in waiting { delivery.called(.failure(.draining)) }
        if underWay == 0 { end() }
        after(world.chance.milliseconds(0...8000)) { self.end() }
    }

    private func end(gracefully: Bool = true) {
        guard isAlive else { return }
        isAlive = false
        if let link { gracefully ? world.broker.closeInTurn(link) : world.broker.close(link) }
        let world = world
        world.timeline.after(world.chance.milliseconds(100...3000)) { world.start(self.policy, replica: self.replica) }
    }
}
