internal import Envelopes
internal import EventLoops
internal import Synchronization

/// A client's session: the machine, and whom to wake when it changes.
final class Session: Sendable {
    let id: String
    /// Whose it is: a principal's id.
    let owner: String?
    let version: ProtocolVersion
    private let state: Mutex<State>

    private struct State {
        var machine: SessionMachine
        /// By the call's number; 0 is the session's own stream.
        var wakes: [Int: (turn: Int, wake: AsyncStream<Void>.Continuation)] = [:]
        var lastTurn = 0
        var isClosed = false
        var lastUsed = MonotonicTime.now
    }

    init(id: String, owner: String?, version: ProtocolVersion, _ catalogue: ToolCatalogue) {
        self.id = id
        self.owner = owner
        self.version = version
        state = Mutex(State(machine: SessionMachine(catalogue)))
    }

    func withMachine<Value, Failure: Error>(
        _ body: (inout SessionMachine) throws(Failure) -> sending Value
    ) throws(Failure) -> sending Value {
        try state.withLock { (state) throws(Failure) in try body(&state.machine) }
    }

    // MARK: Streams

    /// What holds a stream's place: the right to send its messages.
    struct Hold: Sendable, Hashable {
        /// Of the call; 0 for the session's own stream.
        var number: Int
        fileprivate var turn: Int
    }

    /// Takes a stream's place. An earlier holder ends: a message goes to one connection only, and the earlier one's client may be long
    /// gone.
    func hold(_ number: Int, _ wake: AsyncStream<Void>.Continuation) -> Hold {
        let (hold, earlier) = state.withLock { state in
            state.lastTurn += 1
            let hold = Hold(number: number, turn: state.lastTurn)
            return (hold, state.wakes.updateValue((state.lastTurn, wake), forKey: number))
        }
        earlier?.wake.yield()
        return hold
    }

    func isHeld(_ hold: Hold) -> Bool {
        state.withLock { !$0.isClosed && $0.wakes[hold.number]?.turn == hold.turn }
    }

    func release(_ hold: Hold) {
        state.withLock { state in
            if state.wakes[hold.number]?.turn == hold.turn { state.wakes[hold.number] = nil }
            state.lastUsed = .now
        }
    }

    /// - Parameter number: of a call; 0 for the session's own stream.
    func wake(_ number: Int) { state.withLock { $0.wakes[number]?.wake }?.yield() }

    /// Ends its streams.
    func close() {
        let wakes = state.withLock { state in
            state.isClosed = true
            return state.wakes
        }
        for (_, wake) in wakes.values { wake.yield() }
    }

    // MARK: Age

    func use(at time: MonotonicTime = .now) { state.withLock { $0.lastUsed = time } }

    /// How long nobody has used it; not at all while a stream is open.
    func idleTime(at time: MonotonicTime) -> Duration {
        state.withLock { $0.wakes.isEmpty ? $0.lastUsed.duration(to: time) : .zero }
    }
}
