import Envelopes
import EventLoops
import Transports

@testable import Sidecars

/// One delivery on its way through `DeliveryMachine`, carried out as `Sidecar.process` does. Nobody else here knows the
/// machine.
final class DeliveryUnderWay {
    static let timeout = Duration.seconds(5)

    private let sidecar: SimulatedSidecar
    private let delivery: SimulatedBroker.Given
    private var machine: DeliveryMachine
    private var calls = 0
    /// Ends the call that waits for its turn, or runs.
    private(set) var cancel: (() -> Void)?

    private var world: Simulation { sidecar.world }
    private var isLive: Bool { !delivery.link.isKnownLost }
    private var name: String { machine.envelope?.id ?? delivery.message.id }

    init(_ delivery: SimulatedBroker.Given, at sidecar: SimulatedSidecar) {
        self.delivery = delivery
        self.sidecar = sidecar
        let (chance, clock) = (sidecar.world.chance, sidecar.world.timeline.wallClock)
        let surroundings = DeliverySurroundings(
            makeID: { "made-up" }, timestamp: { _ in "1970-01-01T00:00:00.000000Z" },
            wallClock: { clock.microseconds.load(ordering: .relaxed) }, random: { chance.fraction() },
            span: sidecar.world.span)
        machine = DeliveryMachine(
            sidecar.policy, body: delivery.message.body, uncountedDeliveries: delivery.uncountedDeliveries,
            publishedAt: delivery.message.publishedAt, surroundings: surroundings)
    }

    func begin() { perform(machine.begin(now: world.timeline.now, isCancelled: sidecar.cancellations.cover)) }

    /// As `Sidecar.call`.
    var holdsOn: Bool { delivery.message.priorDeliveries >= sidecar.policy.deliveryLimit }

    var isCancelled: Bool { machine.envelope.map(sidecar.cancellations.cover) == true }

    private func perform(_ action: DeliveryMachine.Action) {
        guard sidecar.survives("\(name): \(inWords(action))") else { return }
        switch action {
        case .call(let reports, let delay):
            for report in reports { publish(.report(report)) { _ in } }
            sidecar.after(delay) { self.waitForTurn() }
        case .send(let outgoing, let delay):
            sidecar.after(delay) { self.send(outgoing) }
        case .settle(let settlement):
            sidecar.settle(delivery, settlement)
            sidecar.finished(self, hangs: machine.runtimeHangs)
        case .abandon:
            sidecar.finished(self, hangs: machine.runtimeHangs)
        }
    }

    // MARK: Calling

    private func waitForTurn() {
        cancel = {
            self.sidecar.stopWaiting(self)
            self.called(.failure(.cancelled))
        }
        sidecar.takeSlot(self)
    }

    /// Its turn has come.
    func call() {
        if sidecar.gate != .open { world.violation("\(name): a call that begins at a paused actor") }
        switch permit() {
        case .failure(let reason): answered(.failure(reason))
        case .success(let limit):
            calls += 1
            guard let envelope = machine.envelope else { return world.violation("a call of what is no envelope") }
            let answer = SimulatedRuntime(policy: sidecar.policy, world: world).answer(envelope, call: calls)
            if answer.killsSidecar { return sidecar.after(answer.delay) { self.sidecar.kill() } }
            follow(answer, atMost: limit)
        }
    }

    /// As `Sidecar.permit`.
    private func permit() -> Result<Duration, Runtime.Failure> {
        guard isLive else { return .failure(.withdrawn) }
        if !sidecar.policy.isEndActor && isCancelled { return .failure(.cancelled) }
        let limit = min(Self.timeout, machine.timeLeft ?? Self.timeout)
        return limit > .zero ? .success(limit) : .failure(.timeout(.zero))
    }

    /// The answer, the timeout or a cancellation, whatever comes first.
    private func follow(_ answer: SimulatedRuntime.Answer, atMost limit: Duration) {
        var isOver = false
        let end = { (result: Result<[UInt8], Runtime.Failure>) in
            if isOver { return }
            isOver = true
            self.answered(result)
        }
        cancel = { end(.failure(.cancelled)) }
        sidecar.after(limit) { end(.failure(.timeout(limit))) }
        if let result = answer.result { sidecar.after(answer.delay) { end(result) } }
    }

    private func answered(_ result: Result<[UInt8], Runtime.Failure>) {
        called(result)
        sidecar.giveSlot()
    }

    func called(_ result: Result<[UInt8], Runtime.Failure>) {
        cancel = nil
        guard sidecar.survives("\(name): \(inWords(result))") else { return }
        perform(machine.called(result, now: world.timeline.now))
    }

    // MARK: Sending

    /// Sends everything at once and waits for what becomes of each.
    private func send(_ outgoing: [DeliveryMachine.Outgoing]) {
        if sidecar.policy.sendsTogether { return sendTogether(outgoing) }
        var results = [Result<Void, TransportError>?](repeating: nil, count: outgoing.count)
        for (index, one) in outgoing.enumerated() {
            publish(one) { result in
                guard self.sidecar.survives("\(self.name): answer \(index + 1) of \(outgoing.count)") else { return }
                results[index] = result
                let all = results.compactMap(\.self)
                if all.count == outgoing.count { self.perform(self.machine.sent(all, isLive: self.isLive)) }
            }
        }
    }

    /// As one with the acknowledgement, where that comes next.
    private func sendTogether(_ outgoing: [DeliveryMachine.Outgoing]) {
        let (world, delivery) = (world, machine.acknowledgesWhenSent ? delivery : nil)
        var results: [Result<Void, TransportError>] = []
        let arrival = {
            results = world.broker.accept(outgoing, acknowledging: delivery)
            return Result<Void, TransportError>.success(())
        }
        sidecar.publish("\(outgoing.count) things as one", arrival) { confirm in
            guard self.sidecar.survives("\(self.name): the answer for \(outgoing.count)") else { return }
            if case .failure = confirm { results = outgoing.map { _ in confirm } }
            self.perform(self.machine.sent(results, isLive: self.isLive))
        }
    }

    private func publish(
        _ outgoing: DeliveryMachine.Outgoing, then done: @escaping (Result<Void, TransportError>) -> Void
    ) {
        let world = world
        switch outgoing {
        case .envelope(let message, _), .message(let message):
            sidecar.publish("\(message.id) to \(message.destination)", { world.broker.accept(message) }, then: done)
        case .report(let report):
            let arrival = {
                world.report(report)
                return Result<Void, TransportError>.success(())
            }
            sidecar.publish("the report \(report.eventID)", arrival, then: done)
        }
    }

    // MARK: For the trace

    private func inWords(_ action: DeliveryMachine.Action) -> String {
        switch action {
        case .call: "call"
        case .send(let outgoing, let delay): "send \(outgoing.count) things, after \(delay.inWords)"
        case .settle(let settlement): "\(settlement)"
        case .abandon: "abandon"
        }
    }

    private func inWords(_ result: Result<[UInt8], Runtime.Failure>) -> String {
        switch result {
        case .success(let bytes): "reply " + String(decoding: bytes, as: UTF8.self)
        case .failure(let failure): "no reply: \(failure)"
        }
    }
}
