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
    private(set) var cancellations = Cancellations()
    private var pause = PauseMachine()
    private var underWay: [DeliveryUnderWay] = []
    private var freeSlots: Int
    private var waitingForSlot: [DeliveryUnderWay] = []

    var name: String { "\(policy.actorName).\(replica)" }

    init(_ policy: DeliveryPolicy, replica: Int, in world: Simulation) {
        self.policy = policy
        self.replica = replica
        self.world = world
        freeSlots = world.chance.number(1...2)
        prefetch = freeSlots + world.chance.number(0...3)
        // It asks first what is in force, but does not wait for the answer for ever.
        let isTold = world.chance.happens(0.9)
        if isTold { cancellations.insert(world.cancelled) }
        if isTold, let news = world.pauses[policy.actorName] { obey(news) }
        after(world.chance.milliseconds(0...1000)) {
            if !isTold { self.cancel(world.cancelled) }
            if !self.isDraining { self.consume() }
        }
    }

    /// Does something later, unless the process has ended by then.
    func after(_ delay: Duration, _ action: @escaping () -> Void) {
        world.timeline.after(delay) { if self.isAlive { action() } }
    }

    // MARK: Deliveries

    private func consume() {
        let link = SimulatedBroker.Link(actor: policy.actorName, prefetch: prefetch, sidecar: self)
        self.link = link
        link.isConsuming = gate == .open
        world.broker.open(link)
    }

    func receive(_ given: SimulatedBroker.Given) {
        // What comes after the consumer was cancelled is nobody's, until the connection ends.
        guard isAlive, !isDraining else { return }
        let delivery = DeliveryUnderWay(given, at: self)
        underWay.append(delivery)
        delivery.begin()
        if world.strikes(.drain) { after(world.chance.milliseconds(0...200)) { self.drain() } }
        if world.strikes(.consumerLost) { after(world.chance.milliseconds(0...200)) { self.loseConsumer(given.link) } }
    }

    func settle(_ given: SimulatedBroker.Given, _ settlement: Settlement) {
        if world.strikes(.acknowledgementLost) { return loseConsumer(given.link) }
        world.broker.settle(given, settlement)
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

    func finished(_ delivery: DeliveryUnderWay, hangs: Bool) {
        underWay.removeAll { $0 === delivery }
        if hangs && world.exitsOnTimeout { drain() }
        if isDraining && underWay.isEmpty { end() }
    }

    func cancel(_ ids: [String]) {
        cancellations.insert(ids)
        if policy.isEndActor { return }
        for delivery in underWay where delivery.isCancelled { delivery.cancel?() }
    }

    // MARK: Paused

    var gate: Runtime.Gate { pause.gate }

    func obey(_ news: ActorPause) {
        guard isAlive, let gate = pause.told(news) else { return }
        world.note("\(name): \(gate)")
        if gate == .open {
            if let link, !isDraining { world.broker.resume(link) }
            return admit()
        }
        // What is on its way still comes.
        link?.isConsuming = false
        let number = pause.pauseNumber
        after(PauseMachine.hold) { if self.pause.heldLongEnough(number) != nil { self.giveBack() } }
    }

    private func giveBack() {
        let waiting = waitingForSlot
        waitingForSlot = waiting.filter(\.holdsOn)
        for delivery in waiting where !delivery.holdsOn { delivery.called(.failure(.paused)) }
    }

    // MARK: The handler

    /// Gives the delivery its turn when a call may be made.
    func takeSlot(_ delivery: DeliveryUnderWay) {
        if isDraining { return delivery.called(.failure(.draining)) }
        if gate == .closed && !delivery.holdsOn { return delivery.called(.failure(.paused)) }
        waitingForSlot.append(delivery)
        admit()
    }

    func stopWaiting(_ delivery: DeliveryUnderWay) { waitingForSlot.removeAll { $0 === delivery } }

    func giveSlot() {
        freeSlots += 1
        admit()
    }

    private func admit() {
        while gate == .open, freeSlots > 0, !isDraining, !waitingForSlot.isEmpty {
            freeSlots -= 1
            waitingForSlot.removeFirst().call()
        }
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
        if world.strikes(.crash) { kill() }
        return isAlive
    }

    func kill() {
        world.note("\(name): killed")
        end(gracefully: false)
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
        if underWay.isEmpty { end() }
        after(world.chance.milliseconds(0...8000)) { self.end() }
    }

    private func end(gracefully: Bool = true) {
        guard isAlive else { return }
        isAlive = false
        underWay = []
        waitingForSlot = []
        if let link { gracefully ? world.broker.closeInTurn(link) : world.broker.close(link) }
        let world = world
        world.timeline.after(world.chance.milliseconds(100...3000)) { world.start(self.policy, replica: self.replica) }
    }
}
