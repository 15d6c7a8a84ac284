internal import DequeModule
internal import Envelopes
public import EventLoops
internal import Logging
internal import Telemetry
internal import Transports

/// Carries out what `DeliveryMachine` decides: deliveries in, the runtime called, results and reports out, settled at
/// last.
///
/// One task a delivery, all of them on one event loop; the broker's prefetch bounds their number.
public actor Sidecar {
    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    let policy: DeliveryPolicy
    private let prefetch: Int
    private let timeout: Duration
    let transport: any Transport
    /// The same, where it can do several things as one.
    private let atomic: (any AtomicTransport)?
    private let runtime: Runtime
    private let reporter: any Reporter
    private let metrics: SidecarMetrics
    let logger: Logger
    /// `nil` where nothing is traced.
    let spans: MessageSpans?
    private let queuePrefix: String
    /// `nil` where nobody wants to hear of events.
    private let eventLimits: EventLimits?
    private let onRuntimeHang: @Sendable () -> Void
    /// `nil` where none are to be injected.
    let faults: FaultInjector?
    var hasIgnoredFaults = false
    /// Deliveries here that came too often for their connection to be lost on purpose.
    private(set) var oftenDelivered = 0
    private(set) var cancellations = Cancellations()
    private var pause = PauseMachine()
    /// The envelopes at the runtime, or on their way to it.
    private var underWay: [Runtime.CallID: CallUnderWay] = [:]
    private var lastCall: UInt64 = 0
    /// Not begun yet. A task that was given one would keep it until its end.
    private var arrived: Deque<Delivery> = []
    /// Whether it takes deliveries, as far as there are any.
    private(set) var hasBegun = false

    /// - Parameters:
    ///   - crashRuntime: kills the runtime's process, which somebody starts again; `nil` where nobody can.
    ///   - onRuntimeHang: the runtime has not answered in time and that delivery is settled; its process must be replaced.
    init(
        _ configuration: SidecarConfiguration, transport: any Transport, runtime: Runtime, reporter: any Reporter,
        metrics: SidecarMetrics, spans: MessageSpans?, on loop: EventLoop, logger: Logger,
        crashRuntime: (@Sendable () -> Void)? = nil, onRuntimeHang: @escaping @Sendable () -> Void
    ) {
        atomic = transport as? any AtomicTransport
        var policy = configuration.policy
        policy.sendsTogether = atomic != nil && !(reporter is HTTPReporter)
        self.policy = policy
        prefetch = configuration.prefetch
        timeout = configuration.runtimeTimeout
        eventLimits = configuration.takesEvents ? configuration.eventLimits : nil
        queuePrefix = configuration.broker.queuePrefix
        self.transport = transport
        self.runtime = runtime
        self.reporter = reporter
        self.metrics = metrics
        self.spans = spans
        self.loop = loop
        self.logger = logger
        self.onRuntimeHang = onRuntimeHang
        faults =
            configuration.policy.isEndActor
            ? nil
            : configuration.faults.map { bounds in
                FaultInjector(
                    actor: configuration.policy.actorName, bounds: bounds, runtime: runtime,
                    crashRuntime: crashRuntime, reporter: reporter, metrics: metrics, on: loop, logger: logger)
            }
    }

    /// Serves until `Transport.stopConsuming()`, and returns when what was under way then is settled.
    public func run() async {
        // Others may send from now on, but nothing is taken from the queue before somebody can work on it.
        await transport.declare(.actor(policy.actorName))
        await reporter.prepare()
        await runtime.waitUntilReachable()
        let control = await listen()
        defer { control.cancel() }
        let deliveries = await transport.deliveries(from: .actor(policy.actorName), prefetch: prefetch)
        hasBegun = true
        await withDiscardingTaskGroup { group in
            var waitingSince = MonotonicTime.now
            for await delivery in deliveries {
                metrics.receive.observe(MonotonicTime.now.seconds(since: waitingSince))
                arrived.append(delivery)
                group.addImmediateTask { await self.processNext() }
                waitingSince = .now
            }
        }
    }

    private func processNext() async {
        guard var delivery = arrived.popFirst() else { return }
        let arrival = MonotonicTime.now
        metrics.arrived(delivery)
        let isOftenDelivered = isOftenDelivered(delivery)
        if isOftenDelivered { oftenDelivered += 1 }
        defer { if isOftenDelivered { oftenDelivered -= 1 } }
        var machine = DeliveryMachine(
            policy, body: delivery.body,
            uncountedDeliveries: delivery.isCounted ? nil : delivery.priorDeliveries, publishedAt: delivery.publishedAt,
            surroundings: surroundings)
        // There is only the machine's, so that its memory is free as soon as the machine lets it go.
        delivery.body = []
        var action = machine.begin(now: arrival) { cancellations.cover($0) }
        while true {
            // What a cancelled task leaves behind is the broker's; it sleeps no more, so it must not go on trying either.
            if Task.isCancelled { action = .abandon }
            switch action {
            case .call(let reports, let delay):
                if let reason = machine.callError { metrics.calledAgain(after: reason) }
                post(reports)
                await wait(delay)
                let span = spanOfCall(machine)
                let (result, began) = await call(delivery, machine, under: span)
                action = machine.called(result, now: .now)
                if let span, let began { record(call: span, of: machine, since: began) }
            case .send(let outgoing, let delay):
                await wait(delay)
                let results = await send(outgoing, of: delivery, machine)
                action = machine.sent(results, isLive: await transport.isLive(delivery))
            case .settle(let settlement):
                delivery.body = machine.body
                await transport.settle(delivery, settlement)
                return finish(delivery, machine, since: arrival)
            case .abandon:
                return finish(delivery, machine, since: arrival)
            }
        }
    }

    /// - Returns: what came of it, and when its turn came, if it did.
    private func call(
        _ delivery: Delivery, _ machine: DeliveryMachine, under span: TraceParent?
    ) async -> (Result<[UInt8], Runtime.Failure>, began: MonotonicTime?) {
        lastCall += 1
        let id = Runtime.CallID(lastCall)
        underWay[id] = CallUnderWay(envelope: machine.envelope)
        let events = eventRelay(machine)
        // One that the broker would not take back again, but give to the dead letters, is kept.
        let isLastDelivery = delivery.priorDeliveries >= policy.deliveryLimit
        var result = await runtime.call(
            machine.request(under: span), as: id, holdsOn: isLastDelivery, onEvent: events?.intake
        ) {
            let permission = await self.permit(id, delivery, machine)
            guard let faults = self.faults, case .success(let limit) = permission else { return permission }
            return await self.strike(id, delivery, machine, with: faults, limit: limit)
        }
        let began = underWay.removeValue(forKey: id)?.began
        if let began { metrics.runtimeExecution.observe(MonotonicTime.now.seconds(since: began)) }
        // Before anything that comes of the call: no event is told after the end of its envelope.
        if let (taken, refused) = await events?.finish() { metrics.emitted(taken, refused) }
        if let faults { result = await followed(id, result, machine, with: faults) }
        return (result, began)
    }

    private func eventRelay(_ machine: DeliveryMachine) -> EventRelay? {
        guard let eventLimits, let envelope = machine.envelope else { return nil }
        let call = UInt64.random(in: 0 ... .max).hexadecimal
        return EventRelay(
            eventLimits, as: machine.emittedReport(of: envelope, call: call), reporter: reporter, on: loop,
            logger: logger)
    }

    /// Whether the call is still wanted when its turn has come, and for how long.
    func permit(
        _ call: Runtime.CallID, _ delivery: Delivery, _ machine: DeliveryMachine
    ) async -> Result<Duration, Runtime.Failure> {
        // One whose connection was lost while it waited comes again, and must not be in its own way.
        guard await transport.isLive(delivery) else { return .failure(.withdrawn) }
        if let envelope = machine.envelope, cancellations.cover(envelope) { return .failure(.cancelled) }
        let limit = min(timeout, machine.timeLeft ?? timeout)
        guard limit > .zero else { return .failure(.timeout(.zero)) }
        underWay[call]?.began = .now
        return .success(limit)
    }

    /// These envelopes, and the children of their fan-outs, are not to be worked on any more. An end actor closes whatever
    /// comes.
    func cancel(_ ids: [String]) async {
        if policy.isEndActor { return }
        cancellations.insert(ids)
        for (call, one) in underWay {
            guard let envelope = one.envelope, cancellations.cover(envelope) else { continue }
            await runtime.cancel(call)
            await faults?.release(call)
        }
    }

    func uncancel(_ ids: [String]) { cancellations.remove(ids) }

    /// The actor is to take deliveries, or none for a while. What is at the handler ends as ever.
    func obey(_ news: ActorPause) async {
        guard let gate = pause.told(news) else { return }
        set(gate)
        logger.notice(gate == .open ? "resumed" : "paused")
        guard gate == .holding else { return await transport.resume(.actor(policy.actorName)) }
        let number = pause.pauseNumber
        loop.schedule(after: PauseMachine.hold) { [weak self] in
            self?.assumeIsolated { sidecar in
                if let gate = sidecar.pause.heldLongEnough(number) { sidecar.set(gate) }
            }
        }
        await transport.pause(.actor(policy.actorName))
    }

    /// At once: nothing may come between what was decided and what holds.
    private func set(_ gate: Runtime.Gate) {
        metrics.paused.set(gate == .open ? 0 : 1)
        runtime.assumeIsolated { $0.set(gate) }
    }

    private func finish(_ delivery: Delivery, _ machine: DeliveryMachine, since arrival: MonotonicTime) {
        metrics.settled(machine, since: arrival)
        record(delivery, machine, since: arrival)
        if case .failed(let reason) = machine.outcome {
            logger.warning(
                "delivery failed",
                metadata: .about(machine.envelope, machine.trace).merging([
                    "reason": "\(reason.rawValue)", "error": "\(machine.errorCode ?? "none")",
                ]) { $1 })
        }
        if machine.runtimeHangs { onRuntimeHang() }
    }

    /// A call at the runtime, or on its way to it.
    private struct CallUnderWay {
        var envelope: Envelope?
        /// When its turn came: until then it waits for those before it.
        var began: MonotonicTime?
    }

    private func wait(_ delay: Duration) async {
        if delay > .zero { await loop.sleep(for: delay) }
    }

    /// Nobody waits for these, not even one for the other: each is on its way, in order, before anything that the call
    /// causes.
    private func post(_ reports: [StatusReport]) {
        for report in reports {
            Task.immediate { await self.reporter.post(report) }
        }
    }

    // MARK: Sending

    /// Sends everything at once and waits for what becomes of each.
    private func send(
        _ outgoing: [DeliveryMachine.Outgoing], of delivery: Delivery, _ machine: DeliveryMachine
    ) async -> [Result<Void, TransportError>] {
        let trace = machine.place
        if let atomic, policy.sendsTogether {
            let done = machine.acknowledgesWhenSent ? delivery : nil
            return await send(outgoing, over: atomic, acknowledging: done, below: trace)
        }
        if outgoing.count == 1 { return [await send(outgoing[0], below: trace)] }
        return await withTaskGroup(of: (Int, Result<Void, TransportError>).self) { group in
            for (index, one) in outgoing.enumerated() {
                group.addTask { (index, await self.send(one, below: trace)) }
            }
            var results = [Result<Void, TransportError>](repeating: .success(()), count: outgoing.count)
            for await (index, result) in group { results[index] = result }
            return results
        }
    }

    private func send(
        _ outgoing: DeliveryMachine.Outgoing, below trace: DeliveryPlace?
    ) async -> Result<Void, TransportError> {
        let start = MonotonicTime.now
        do throws(TransportError) {
            switch outgoing {
            case .report(let report): try await reporter.deliver(report)
            case .envelope(let message, _), .message(let message): try await transport.publish(message, timeout: nil)
            }
            note(outgoing, .success(()), below: trace, since: start)
            return .success(())
        } catch {
            note(outgoing, .failure(error), below: trace, since: start)
            return .failure(error)
        }
    }

    /// All or nothing of it, the acknowledgement included.
    private func send(
        _ outgoing: [DeliveryMachine.Outgoing], over atomic: any AtomicTransport, acknowledging delivery: Delivery?,
        below trace: DeliveryPlace?
    ) async -> [Result<Void, TransportError>] {
        let start = MonotonicTime.now
        // Where nobody wants reports there is none to send.
        let messages = outgoing.map { one in
            switch one {
            case .report(let report): reporter.message(of: report)
            case .envelope(let message, _), .message(let message): message
            }
        }
        var answers = await atomic.publish(messages.compactMap(\.self), acknowledging: delivery, timeout: nil)[...]
        let results = messages.map { $0 == nil ? .success(()) : answers.popFirst() ?? .success(()) }
        for (one, result) in zip(outgoing, results) {
            note(one, result, below: trace, since: start)
            if case .report = one, case .failure(let error) = result, error.code == .unroutable {
                await reporter.prepare()
            }
        }
        return results
    }

    private func note(
        _ outgoing: DeliveryMachine.Outgoing, _ result: Result<Void, TransportError>, below trace: DeliveryPlace?,
        since start: MonotonicTime
    ) {
        guard case .failure(let error) = result else {
            guard let message = outgoing.message else { return }
            record(outgoing, below: trace, since: start)
            if case .actor(let name) = message.destination {
                metrics.sent(message, to: name, destinationQueue: queuePrefix + name, policy: policy, since: start)
            }
            return
        }
        var metadata: Logger.Metadata = [:]
        if let message = outgoing.message {
            record(outgoing, below: trace, since: start, error)
            metadata = .about(outgoing.envelopeWithin(policy.limits), trace?.span)
            metrics.failed(
                message.destination == .actor(policy.errorEnd) ? "error_queue_send_failed" : "transport_error")
        }
        metadata["reason"] = "\(error)"
        logger.warning("not sent", metadata: metadata)
    }
}
