internal import DequeModule
public import Envelopes
public import EventLoops

/// The user's handler behind its Unix socket, with as many connections as calls may run at a time.
///
/// Connections stay open from call to call; one that the runtime closes after its reply (as Asya's does) is replaced. A
/// runtime that is not there is waited for: nothing is wrong with the message.
public actor Runtime {
    public enum Failure: Error, Sendable, Hashable {
        /// No reply in time. The connection is closed, which is how the runtime hears of it.
        case timeout(Duration)
        /// The connection ended before a whole reply: the handler's process died, most likely.
        case closed(String)
        /// What came was no frame that we take.
        case invalid(String)
        /// We are shutting down and the call had not begun.
        case draining
        /// The actor is paused and the call had not begun.
        case paused
        /// We have replaced its process in the middle: no fault of the message.
        case replaced
        /// Nobody wanted the call any more when its turn came.
        case withdrawn
        /// `cancel` was called. The connection is closed, which is how the runtime hears of it.
        case cancelled
        /// It was to fail.
        case injected(InjectedFailure)
        /// No reply in time, while the runtime may still be at a call that was given up before: it is not this one's
        /// fault.
        case occupied
    }

    /// Names a call, for `cancel`.
    public struct CallID: Hashable, Sendable {
        let number: UInt64
        public init(_ number: UInt64) { self.number = number }
    }

    /// What becomes of calls that have not begun.
    public enum Gate: Sendable, Hashable {
        case open
        /// They wait.
        case holding
        /// They fail with `.paused`, but for those that hold on.
        case closed
    }

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let path: String
    private let limits: JSONLimits
    private let takesEvents: Bool
    private var idle: [RuntimeConnection] = []
    private var freeSlots: Int
    private var waiting: Deque<WaitingCall> = []
    private var gate = Gate.open
    /// What ends a call that is under way.
    private var cancellations: [CallID: () -> Void] = [:]
    private var isDraining = false
    private var isBeingReplaced = false
    /// One more with each process that we know of: what ends with its process is known by it.
    private var generation = 0
    /// Calls that the runtime was not waited for, and may still be at.
    private var abandoned = 0
    /// Whether the last attempt to connect worked; `nil` before the first.
    public private(set) var isReachable: Bool?

    private struct WaitingCall {
        var id: CallID
        var holdsOn: Bool
        var waiter: CheckedContinuation<Failure?, Never>
    }

    /// - Parameters:
    ///   - limits: of a reply.
    ///   - takesEvents: whether the runtime is told that it may send events.
    public init(
        path: String, connections: Int, limits: JSONLimits, takesEvents: Bool = false, on loop: EventLoop
    ) {
        self.path = path
        self.limits = limits
        self.takesEvents = takesEvents
        self.loop = loop
        freeSlots = connections
    }

    isolated deinit {
        for connection in idle { connection.close() }
    }

    /// Sends a request and returns its reply. Waits for a free connection first.
    /// - Parameters:
    ///   - holdsOn: waits also while the gate is closed.
    ///   - onEvent: gets on the loop, before the reply and in order, what stands in the member `event` of event frames.
    ///   - permit: asked when the call's turn has come, which may be long after it was made: how long it may take, or why
    ///     it is not wanted any more.
    public func call(
        _ request: [UInt8], as id: CallID, holdsOn: Bool = false, onEvent: (@Sendable (RawJSON) -> Void)? = nil,
        permit: @Sendable () async -> Result<Duration, Failure>
    ) async -> Result<[UInt8], Failure> {
        if let reason = await takeSlot(for: id, holdsOn: holdsOn) { return .failure(reason) }
        defer { giveSlot() }
        while true {
            guard let connection = await connect(whileClosed: holdsOn) else {
                return .failure(isDraining || Task.isCancelled ? .draining : .paused)
            }
            let (isReused, generation) = (connection.isReused, generation)
            let timeout: Duration
            switch await permit() {
            case .success(let limit): timeout = limit
            case .failure(let reason):
                keep(connection)
                return .failure(reason)
            }
            if generation != self.generation {
                // It leads to a process that is being replaced.
                connection.close()
                continue
            }
            switch await exchange(request, as: id, over: connection, timeout: timeout, onEvent) {
            case .timeout where !isReused && abandoned > 0:
                abandoned = 0
                return .failure(.occupied)
            case .timeout:
                abandoned += 1
                return .failure(.timeout(timeout))
            case .cancelled:
                abandoned += 1
                return .failure(.cancelled)
            case .reply(let body):
                keep(connection)
                return .success(body)
            case .oversize(let length):
                return .failure(
                    .invalid("the runtime's reply has \(length) bytes, at most \(limits.size) are allowed"))
            case .closed where generation != self.generation:
                return .failure(.replaced)
            case .closed(afterBytes: 0, hasEmitted: false) where isReused:
                // It may have closed after the reply before, and our request crossed its good-bye: not a crash. On a
                // fresh connection there is no such doubt.
                continue
            case .closed(let count, _):
                return .failure(
                    .closed(
                        count == 0
                            ? "the runtime closed the connection without a reply"
                            : "the runtime closed the connection in the middle of its reply, after \(count) bytes"))
            }
        }
    }

    /// Ends a call with `.cancelled`, be it under way or still waiting for its turn.
    public func cancel(_ id: CallID) {
        if let place = waiting.firstIndex(where: { $0.id == id }) {
            waiting.remove(at: place).waiter.resume(returning: .cancelled)
        } else {
            cancellations[id]?()
        }
    }

    /// Returns once somebody listens on the socket, or `drain` was called.
    public func waitUntilReachable() async {
        if let connection = await connect(whileClosed: true) { keep(connection) }
    }

    /// Its process is about to be ended, and another to be started. Calls that have not begun wait for that one; those
    /// that are cut off end with `.replaced`.
    public func beginReplacement() {
        isBeingReplaced = true
        generation += 1
        abandoned = 0
        for connection in idle { connection.close() }
        idle = []
    }

    /// The old process is gone.
    public func endReplacement() { isBeingReplaced = false }

    /// Whether somebody listens on the socket right now.
    public func probe() -> Bool {
        if freeSlots == 0 && isReachable == true { return true }
        isReachable = !isBeingReplaced && (idle.contains { $0.isOpen } || newConnection() != nil)
        return isReachable == true
    }

    /// Ends what is under way, too: nobody is left to take its replies.
    public func stop() {
        drain()
        for end in cancellations.values { end() }
    }

    /// Calls that have not begun fail with `.draining`; those under way go on.
    public func drain() {
        isDraining = true
        while let next = waiting.popFirst() { next.waiter.resume(returning: .draining) }
    }

    /// Those under way go on, whatever the gate.
    public func set(_ gate: Gate) {
        self.gate = gate
        if gate == .closed {
            let (holding, ended) = (waiting.filter(\.holdsOn), waiting.filter { !$0.holdsOn })
            waiting = holding
            for call in ended { call.waiter.resume(returning: .paused) }
        }
        admit()
    }

    // MARK: One call

    private func exchange(
        _ request: [UInt8], as id: CallID, over connection: RuntimeConnection, timeout: Duration,
        _ onEvent: (@Sendable (RawJSON) -> Void)?
    ) async -> RuntimeConnection.Ending {
        let ending = await withCheckedContinuation {
            (continuation: CheckedContinuation<RuntimeConnection.Ending, Never>) in
            guard connection.isOpen else { return continuation.resume(returning: .closed(afterBytes: 0)) }
            let timer = loop.schedule(after: timeout) { connection.end(.timeout) }
            cancellations[id] = { connection.end(.cancelled) }
            connection.onEvent = onEvent
            connection.onEnding = { [loop] ending in
                loop.cancel(timer)
                connection.onEnding = nil
                continuation.resume(returning: ending)
            }
            connection.send(request)
        }
        cancellations[id] = nil
        return ending
    }

    // MARK: Slots and connections

    /// - Returns: why there is none, `nil` when there is.
    private func takeSlot(for id: CallID, holdsOn: Bool) async -> Failure? {
        if gate == .open, freeSlots > 0, waiting.isEmpty, !isDraining {
            freeSlots -= 1
            return nil
        }
        return await withCheckedContinuation { waiter in
            // Looked at in here: others may run between an `await` and what it waits for.
            if isDraining {
                waiter.resume(returning: .draining)
            } else if gate == .closed && !holdsOn {
                waiter.resume(returning: .paused)
            } else {
                waiting.append(WaitingCall(id: id, holdsOn: holdsOn, waiter: waiter))
                admit()
            }
        }
    }

    private func giveSlot() {
        freeSlots += 1
        admit()
    }

    /// For the next call; not one to a process that is about to go.
    private func keep(_ connection: RuntimeConnection) {
        if isBeingReplaced { connection.close() } else { idle.append(connection) }
    }

    private func newConnection() -> RuntimeConnection? {
        RuntimeConnection(path: path, loop: loop, limits: limits, takesEvents: takesEvents)
    }

    private func admit() {
        while gate == .open, freeSlots > 0, let next = waiting.popFirst() {
            freeSlots -= 1
            next.waiter.resume(returning: nil)
        }
    }

    /// - Returns: `nil` when nobody is to be called any more.
    private func connect(whileClosed: Bool) async -> RuntimeConnection? {
        var backoff = Backoff(initial: .milliseconds(20), ceiling: .seconds(1))
        while true {
            // One that has closed while idle has closed itself; this is where it is let go.
            while let connection = idle.popLast() { if connection.isOpen { return connection } }
            if !isBeingReplaced, let connection = newConnection() {
                isReachable = true
                return connection
            }
            isReachable = false
            // Whatever it was at ended with it.
            abandoned = 0
            // A cancelled task sleeps no more.
            if isDraining || Task.isCancelled || (gate == .closed && !whileClosed) { return nil }
            await loop.sleep(for: backoff.next())
        }
    }
}
