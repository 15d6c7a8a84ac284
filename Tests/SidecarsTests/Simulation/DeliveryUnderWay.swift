import Envelopes
import EventLoops
import Transports

@testable import Sidecars

/// One delivery on its way through `DeliveryMachine`, carried out as `Sidecar.process` does. Nobody else here knows the
/// machine.
final class DeliveryUnderWay {
    private let sidecar: SimulatedSidecar
    private let link: SimulatedBroker.Link
    private let tag: Int
    private let body: [UInt8]
    private var machine: DeliveryMachine
    private var calls = 0

    private var now: MonotonicTime { sidecar.world.timeline.now }
    private var isLive: Bool { !link.isKnownLost }
    private var name: String { machine.envelopeID ?? "?" }

    init(_ body: [UInt8], tag: Int, over link: SimulatedBroker.Link, at sidecar: SimulatedSidecar) {
        self.body = body
        self.tag = tag
        self.link = link
        self.sidecar = sidecar
        let chance = sidecar.world.chance
        let surroundings = DeliverySurroundings(
            makeID: { "made-up" }, timestamp: { _ in "2030-01-01T00:00:00.000000Z" }, random: { chance.fraction() })
        machine = DeliveryMachine(sidecar.policy, body: body, surroundings: surroundings)
    }

    func begin() { perform(machine.begin(now: now)) }

    private func perform(_ action: DeliveryMachine.Action) {
        guard sidecar.survives("\(name): \(inWords(action))") else { return }
        switch action {
        case .call(let reports, let delay):
            for report in reports { publish(.report(report)) { _ in } }
            sidecar.after(delay) { self.sidecar.takeSlot(self) }
        case .send(let outgoing, let delay):
            sidecar.after(delay) { self.send(outgoing) }
        case .settle(let settlement):
            sidecar.settle(tag, on: link, settlement)
            sidecar.finished(machine.runtimeHangs)
        case .abandon:
            sidecar.finished(machine.runtimeHangs)
        }
    }

    // MARK: Calling

    /// Its turn has come.
    func call() {
        // One whose connection was lost meanwhile comes again, and must not be in its own way.
        guard isLive else { return answered(.failure(.withdrawn)) }
        calls += 1
        let runtime = SimulatedRuntime(policy: sidecar.policy, world: sidecar.world)
        let answer = runtime.answer(body, call: calls)
        sidecar.after(answer.delay) { self.answered(answer.result) }
    }

    private func answered(_ result: Result<[UInt8], Runtime.Failure>) {
        called(result)
        sidecar.giveSlot()
    }

    func called(_ result: Result<[UInt8], Runtime.Failure>) {
        guard sidecar.survives("\(name): \(inWords(result))") else { return }
        perform(machine.called(result, now: now))
    }

    // MARK: Sending

    /// Sends everything at once and waits for what becomes of each.
    private func send(_ outgoing: [DeliveryMachine.Outgoing]) {
        var results = [Result<Void, TransportError>?](repeating: nil, count: outgoing.count)
        for (index, one) in outgoing.enumerated() {
            publish(one) { result in
                guard self.sidecar.survives("\(self.name): confirm \(index + 1) of \(outgoing.count)") else { return }
                results[index] = result
                let all = results.compactMap(\.self)
                if all.count == outgoing.count { self.perform(self.machine.sent(all, isLive: self.isLive)) }
            }
        }
    }

    private func publish(
        _ outgoing: DeliveryMachine.Outgoing, then done: @escaping (Result<Void, TransportError>) -> Void
    ) {
        let world = sidecar.world
        switch outgoing {
        case .message(let message, _):
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
