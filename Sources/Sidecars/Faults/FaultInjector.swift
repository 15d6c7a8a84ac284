internal import Envelopes
internal import EventLoops
internal import Faults
internal import Logging
internal import Transports

/// Carries out what `FaultMachine` decides about one sidecar's calls.
///
/// Nothing is done that the envelope's history does not tell: each effect is marked there first, and what cannot be
/// marked is left undone.
actor FaultInjector {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// What becomes of a call.
    enum Verdict: Sendable {
        /// Nothing happens to it.
        case untouched
        /// Something has happened, and it goes on.
        case goesOn
        case fails(InjectedFailure)
        /// The connection that has brought its delivery is to be lost.
        case drops
    }

    private let bounds: FaultBounds
    private let runtime: Runtime
    private let crashRuntime: (@Sendable () -> Void)?
    private let reporter: any Reporter
    private let metrics: SidecarMetrics
    private let logger: Logger
    private var machine: FaultMachine
    private var timer: EventLoop.Timer?
    /// The calls that have been struck and not come back.
    private var struck: [Runtime.CallID: FaultPlan] = [:]
    /// Those of them whose crash has happened.
    private var crashed: Set<Runtime.CallID> = []
    private var holds: [Runtime.CallID: Hold] = [:]
    private var burners: [String: CPUBurner] = [:]
    private var ballast: [String: Ballast] = [:]
    private var lastDrop: MonotonicTime?

    /// Calls that are made to wait.
    private struct Hold {
        var fault: String
        var timer: EventLoop.Timer
        var waiter: CheckedContinuation<Bool, Never>
    }

    private struct Ballast {
        var size: Int
        /// None while they are being made.
        var bytes: [UInt8] = []
    }

    /// Between two lost connections, so that something gets done.
    private static let dropPause = Duration.seconds(1)
    private static let markAttempts = 5

    /// - Parameter crashRuntime: kills the runtime's process, where somebody starts it again; without it a crash cuts the
    ///   call's connection.
    init(
        actor: String, bounds: FaultBounds, runtime: Runtime, crashRuntime: (@Sendable () -> Void)?,
        reporter: any Reporter, metrics: SidecarMetrics, on loop: EventLoop, logger: Logger
    ) {
        machine = FaultMachine(actor: actor, bounds: bounds)
        self.bounds = bounds
        self.runtime = runtime
        self.crashRuntime = crashRuntime
        self.reporter = reporter
        self.metrics = metrics
        self.loop = loop
        self.logger = logger
    }

    // MARK: Which there are

    /// Gateways tell how it stands with some faults.
    func told(_ list: [RawJSON]) {
        var states: [FaultState] = []
        for json in list {
            do throws(InvalidFault) { states.append(try FaultState(json)) } catch {
                logger.warning("unreadable fault", metadata: ["reason": "\(error)"])
            }
        }
        follow(machine.told(states, wallClock: Timestamp.microsecondsNow(), now: .now))
    }

    private func follow(_ changes: [FaultMachine.Change]) {
        for change in changes {
            switch change {
            case .began(let fault): logger.notice("fault begins", metadata: .about(fault))
            case .ended(let fault, let isReset):
                logger.notice("fault ends", metadata: .about(fault).merging(["reset": "\(isReset)"]) { $1 })
                end(fault.id)
            case .refused(let id, let reason):
                logger.warning("fault refused", metadata: ["fault": "\(id)", "reason": "\(reason)"])
            }
        }
        if let timer { loop.cancel(timer) }
        timer = machine.nextEnd.map { end in
            loop.schedule(after: max(.zero, MonotonicTime.now.duration(to: end))) { [weak self] in
                self?.assumeIsolated { $0.follow($0.machine.expire(now: .now)) }
            }
        }
    }

    private func end(_ fault: String) {
        burners.removeValue(forKey: fault)?.stop()
        ballast[fault] = nil
        for (call, hold) in holds where hold.fault == fault { release(call, isOver: false) }
    }

    // MARK: Before the handler is called

    /// The call's turn has come.
    /// - Parameters:
    ///   - report: for the history, without events.
    ///   - mayDrop: whether the connection may be lost without a message coming near the limit of its deliveries.
    ///   - limit: how long the call may take.
    func strike(
        _ call: Runtime.CallID, _ headers: Headers, mayDrop: Bool, limit: Duration, report: StatusReport
    ) async -> Verdict {
        // Its connection had closed before it began: its turn has come again.
        if struck[call] != nil { return .untouched }
        let now = MonotonicTime.now
        let hasPaused = lastDrop.map { $0.duration(to: now) >= Self.dropPause } ?? true
        var plan = machine.plan(for: headers, mayDrop: mayDrop && hasPaused, now: now)
        plan.burdens = newBurdens(plan.burdens)
        if plan.isEmpty { return .untouched }
        // Before the mark is sent: the next call's turn may come meanwhile.
        if case .drop = plan.interruption?.effect { lastDrop = now }
        guard await mark(plan.beforehand, report) else { return .untouched }
        struck[call] = plan
        for fault in plan.burdens { bear(fault) }
        for fault in plan.delays { _ = await hold(call, for: fault.delay, under: fault) }
        guard let fault = plan.interruption else { return .goesOn }
        switch fault.effect {
        case .drop: return .drops
        case .error: return .fails(InjectedFailure(fault))
        case .timeout:
            return await hold(call, for: fault.delay, under: fault) ? .fails(InjectedFailure(fault)) : .goesOn
        case .hang: return await hold(call, for: limit, under: fault) ? .fails(InjectedFailure(fault)) : .goesOn
        case .crash:
            loop.schedule(after: fault.delay) { [weak self] in self?.assumeIsolated { $0.crash(call, by: fault) } }
            return .goesOn
        case .latency, .cpu, .memory, .badData: return .goesOn
        }
    }

    /// A call that is not wanted any more waits no longer.
    func release(_ call: Runtime.CallID) { release(call, isOver: false) }

    /// - Returns: whether the whole time is over: `false` when the fault has ended before, or nobody wants the call any
    ///   more.
    private func hold(_ call: Runtime.CallID, for time: Duration, under fault: Fault) async -> Bool {
        guard machine.isActive(fault.id) else { return false }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                if Task.isCancelled { return waiter.resume(returning: false) }
                let timer = loop.schedule(after: time) { [weak self] in
                    self?.assumeIsolated { $0.release(call, isOver: true) }
                }
                holds[call] = Hold(fault: fault.id, timer: timer, waiter: waiter)
            }
        } onCancel: {
            Task { await self.release(call) }
        }
    }

    private func release(_ call: Runtime.CallID, isOver: Bool) {
        guard let hold = holds.removeValue(forKey: call) else { return }
        loop.cancel(hold.timer)
        hold.waiter.resume(returning: isOver)
    }

    // MARK: Beside the call

    /// One burn and one block of memory for each fault at a time.
    private func newBurdens(_ faults: [Fault]) -> [Fault] {
        var held = ballast.values.reduce(0) { $0 + $1.size }
        return faults.filter { fault in
            if case .cpu = fault.effect { return burners[fault.id] == nil }
            guard ballast[fault.id] == nil, held + fault.bytes <= bounds.memory else { return false }
            held += fault.bytes
            return true
        }
    }

    private func bear(_ fault: Fault) {
        // It may have ended, or another call have begun it, while it was marked.
        guard machine.isActive(fault.id), !newBurdens([fault]).isEmpty else { return }
        switch fault.effect {
        case .cpu(_, let load):
            let burner = CPUBurner()
            burners[fault.id] = burner
            Task(executorPreference: loop) {
                await burner.burn(fault.work, load: load)
                await self.burned(fault.id, burner)
            }
        case .memory:
            // It is written to in a thread of its own: a page that nobody has touched is none.
            ballast[fault.id] = Ballast(size: fault.bytes)
            Task(executorPreference: loop) {
                let bytes = await BlockingThread.run { [UInt8](repeating: 0xA5, count: fault.bytes) }
                await self.keep(bytes, for: fault.id)
            }
        case .latency, .timeout, .error, .crash, .badData, .drop, .hang: return
        }
    }

    private func burned(_ fault: String, _ burner: CPUBurner) {
        if burners[fault] === burner { burners[fault] = nil }
    }

    private func keep(_ bytes: [UInt8], for fault: String) { ballast[fault]?.bytes = bytes }

    // MARK: During and after the call

    private func crash(_ call: Runtime.CallID, by fault: Fault) {
        guard struck[call] != nil, machine.isActive(fault.id), crashed.insert(call).inserted else { return }
        // The call ends first: to it, this is no runtime that has only closed an idle connection.
        runtime.assumeIsolated { $0.cancel(call) }
        crashRuntime?()
    }

    /// The call has come back.
    /// - Parameter report: for the history, without events.
    func followed(
        _ call: Runtime.CallID, _ result: Result<[UInt8], Runtime.Failure>, limits: JSONLimits, report: StatusReport
    ) async -> Result<[UInt8], Runtime.Failure> {
        guard let plan = struck.removeValue(forKey: call) else { return result }
        let hasCrashed = crashed.remove(call) != nil
        if let fault = plan.interruption, case .crash = fault.effect {
            switch result {
            case .success:
                // It has answered before: it dies now, and nobody hears its answer.
                guard hasCrashed || machine.isActive(fault.id) else { return result }
                if !hasCrashed { crashRuntime?() }
                return .failure(.injected(InjectedFailure(fault)))
            case .failure(.closed), .failure(.cancelled):
                return hasCrashed ? .failure(.injected(InjectedFailure(fault))) : result
            case .failure: return result
            }
        }
        guard case .success(let reply) = result, !plan.corruptions.isEmpty,
            let corrupted = CorruptedReply(reply, plan.corruptions, limits: limits),
            await mark(corrupted.faults, report)
        else { return result }
        return .success(corrupted.bytes)
    }

    // MARK: What is told of it

    /// - Returns: whether the history has it.
    private func mark(_ faults: [Fault], _ report: StatusReport) async -> Bool {
        if faults.isEmpty { return true }
        var report = report
        report.events = faults.map { FaultMark(fault: $0).event }
        var backoff = Backoff()
        while true {
            do throws(TransportError) {
                try await reporter.deliver(report)
                break
            } catch {
                guard error.code != .stopped, !Task.isCancelled, backoff.tries + 1 < Self.markAttempts else {
                    logger.warning(
                        "faults not injected, since they could not be marked",
                        metadata: ["envelope_id": "\(report.envelopeID)", "reason": "\(error)"])
                    return false
                }
                await loop.sleep(for: backoff.next())
            }
        }
        for fault in faults {
            metrics.injected(fault.kind.rawValue)
            logger.notice(
                "fault injected",
                metadata: .about(fault).merging(["envelope_id": "\(report.envelopeID)", "injected": "true"]) { $1 })
        }
        return true
    }
}

extension Logger.Metadata {
    fileprivate static func about(_ fault: Fault) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["fault": "\(fault.id)", "kind": "\(fault.kind.rawValue)"]
        if let owner = fault.owner { metadata["owner"] = "\(owner)" }
        return metadata
    }
}
