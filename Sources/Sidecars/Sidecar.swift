public import EventLoops
internal import Envelopes
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
    private let runtime: Runtime
    private let reporter: any Reporter
    private let metrics: SidecarMetrics
    let logger: Logger
    /// `nil` where nothing is traced.
    let spans: MessageSpans?
    private let queuePrefix: String
    private let onRuntimeHang: @Sendable () -> Void
    private var cancellations = Cancellations()
    /// The envelopes at the runtime, or on their way to it.
    private var underWay: [Runtime.CallID: Envelope] = [:]
    private var lastCall: UInt64 = 0
    /// When the turn of a traced call came: until then it waits for those before it.
    private var turns: [Runtime.CallID: MonotonicTime] = [:]
    /// Whether it takes deliveries, as far as there are any.
    private(set) var hasBegun = false

    /// - Parameter onRuntimeHang: the runtime has not answered in time and that delivery is settled; its process must
    ///   be replaced.
    init(
        _ configuration: SidecarConfiguration, transport: any Transport, runtime: Runtime, reporter: any Reporter,
        metrics: SidecarMetrics, spans: MessageSpans?, on loop: EventLoop, logger: Logger,
        onRuntimeHang: @escaping @Sendable () -> Void
    ) {
        policy = configuration.policy
        prefetch = configuration.prefetch
        timeout = configuration.runtimeTimeout
        queuePrefix = configuration.broker.queuePrefix
        self.transport = transport
        self.runtime = runtime
        self.reporter = reporter
        self.metrics = metrics
        self.spans = spans
        self.loop = loop
        self.logger = logger
        self.onRuntimeHang = onRuntimeHang
    }

    /// Serves until `Transport.stopConsuming()`, and returns when what was under way then is settled.
    public func run() async {
        // Others may send from now on, but nothing is taken from the queue before somebody can work on it.
        await transport.declare(.actor(policy.actorName))
        await reporter.prepare()
        await runtime.waitUntilReachable()
        // An end actor closes whatever comes: it hears of no cancellations.
        let control = policy.isEndActor ? nil : await listen()
        defer { control?.cancel() }
        let deliveries = await transport.deliveries(from: .actor(policy.actorName), prefetch: prefetch)
        hasBegun = true
        await withDiscardingTaskGroup { group in
            var waitingSince = MonotonicTime.now
            for await delivery in deliveries {
                metrics.receive.observe(waitingSince.duration(to: .now).inSeconds)
                group.addTask { await self.process(delivery) }
                waitingSince = .now
            }
        }
    }

    private func process(_ delivery: Delivery) async {
        let arrival = MonotonicTime.now
        metrics.arrived(delivery)
        var machine = DeliveryMachine(
            policy, body: delivery.body,
            uncountedDeliveries: delivery.isCounted ? nil : delivery.priorDeliveries, publishedAt: delivery.publishedAt,
            surroundings: surroundings)
        var action = machine.begin(now: arrival) { cancellations.cover($0) }
        while true {
            // What a cancelled task leaves behind is the broker's; it sleeps no more, so it must not go on trying either.
            if Task.isCancelled { action = .abandon }
            switch action {
            case .call(let reports, let delay):
                post(reports)
                await wait(delay)
                let span = spanOfCall(machine)
                let (result, began) = await call(delivery, machine, under: span)
                action = machine.called(result, now: .now)
                if let span, let began { record(call: span, of: machine, since: began) }
            case .send(let outgoing, let delay):
                await wait(delay)
                let results = await send(outgoing, below: machine.trace)
                action = machine.sent(results, isLive: await transport.isLive(delivery))
            case .settle(let settlement):
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
        underWay[id] = machine.envelope
        defer { underWay[id] = nil }
        let start = MonotonicTime.now
        defer { metrics.runtimeExecution.observe(start.duration(to: .now).inSeconds) }
        let result = await runtime.call(machine.request(under: span), as: id) {
            let permission = await self.permit(delivery, machine)
            if span != nil, case .success = permission { await self.noteTurn(of: id) }
            return permission
        }
        return (result, turns.removeValue(forKey: id))
    }

    private func noteTurn(of call: Runtime.CallID) { turns[call] = .now }

    /// Whether the call is still wanted when its turn has come, and for how long.
    private func permit(_ delivery: Delivery, _ machine: DeliveryMachine) async -> Result<Duration, Runtime.Failure> {
        // One whose connection was lost while it waited comes again, and must not be in its own way.
        guard await transport.isLive(delivery) else { return .failure(.withdrawn) }
        if let envelope = machine.envelope, cancellations.cover(envelope) { return .failure(.cancelled) }
        let limit = min(timeout, machine.timeLeft ?? timeout)
        return limit > .zero ? .success(limit) : .failure(.timeout(.zero))
    }

    /// These envelopes, and the children of their fan-outs, are not to be worked on any more.
    func cancel(_ ids: [String]) async {
        cancellations.insert(ids)
        for (call, envelope) in underWay where cancellations.cover(envelope) { await runtime.cancel(call) }
    }

    func uncancel(_ ids: [String]) { cancellations.remove(ids) }

    private func finish(_ delivery: Delivery, _ machine: DeliveryMachine, since arrival: MonotonicTime) {
        metrics.settled(machine, after: arrival.duration(to: .now))
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

    private func wait(_ delay: Duration) async {
        if delay > .zero { await loop.sleep(for: delay) }
    }

    /// Nobody waits for these, not even one for the other: the loop starts them in order, so they are sent in order,
    /// and before anything that the call causes.
    private func post(_ reports: [StatusReport]) {
        for report in reports {
            Task(executorPreference: loop) { [reporter] in await reporter.post(report) }
        }
    }

    // MARK: Sending

    /// Sends everything at once and waits for what becomes of each.
    private func send(
        _ outgoing: [DeliveryMachine.Outgoing], below trace: TraceParent?
    ) async -> [Result<Void, TransportError>] {
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
        _ outgoing: DeliveryMachine.Outgoing, below trace: TraceParent?
    ) async -> Result<Void, TransportError> {
        let start = MonotonicTime.now
        do throws(TransportError) {
            switch outgoing {
            case .report(let report): try await reporter.deliver(report)
            case .message(let message, let envelope):
                try await transport.publish(message, timeout: nil)
                record(message, envelope, below: trace, since: start)
                if case .actor(let name) = message.destination {
                    metrics.sent(
                        message, to: name, destinationQueue: queuePrefix + name, policy: policy,
                        after: start.duration(to: .now))
                }
            }
            return .success(())
        } catch {
            var metadata: Logger.Metadata = [:]
            if case .message(let message, let envelope) = outgoing {
                record(message, envelope, below: trace, since: start, error)
                metadata = .about(envelope, trace)
                metrics.failed(
                    message.destination == .actor(policy.errorEnd) ? "error_queue_send_failed" : "transport_error")
            }
            metadata["reason"] = "\(error)"
            logger.warning("not sent", metadata: metadata)
            return .failure(error)
        }
    }
}
