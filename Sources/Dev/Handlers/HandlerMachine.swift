internal import EventLoops

/// Decides when a handler's process is started, ended and started again. Pure.
///
///     running -> ending -> running        its files have changed, or it hangs
///     running -> waiting -> running       it has ended by itself: again, after a while
///     running -> broken -> running        it cannot start: again when its files have changed
struct HandlerMachine {
    enum Action: Hashable {
        /// Calls that its end cuts off are no crash.
        case beginReplacement, endReplacement
        case start
        /// Ask it, and make it when that takes longer.
        case end(within: Duration)
        /// Then tell `waited` the number.
        case wait(Duration, number: Int)
        case tell(Notice)
        /// Nothing is left of it.
        case finished
    }

    enum Notice: Hashable {
        case ended(ChildProcess.Ending, again: Duration)
        case broken
        case restarting
        case noProcess
    }

    enum State: Hashable {
        case idle, running(since: MonotonicTime), restarting, stopping, waiting(number: Int), broken, stopped
    }

    private(set) var state = State.idle
    private var backoff = Backoff(initial: .milliseconds(200), ceiling: .seconds(30))
    private var waits = 0
    private let restartGrace: Duration

    /// How long a process must have lived for its end to be the first of its kind again.
    private static let longLife = Duration.seconds(10)

    /// - Parameter restartGrace: what a call may take before it is cut off by a restart.
    init(restartGrace: Duration = .seconds(1)) { self.restartGrace = restartGrace }

    /// Its own code cannot be loaded, or its socket not be made: exit codes of both runtimes.
    static func isBroken(_ ending: ChildProcess.Ending) -> Bool {
        if case .exit(let code) = ending { [70, 73, 78].contains(code) } else { false }
    }

    mutating func begin(now: MonotonicTime) -> [Action] {
        guard state == .idle else { return [] }
        state = .running(since: now)
        return [.start]
    }

    /// Its files have changed.
    mutating func changed(now: MonotonicTime) -> [Action] {
        backoff.reset()
        switch state {
        case .running:
            state = .restarting
            return [.tell(.restarting), .beginReplacement, .end(within: restartGrace)]
        case .waiting, .broken:
            state = .running(since: now)
            return [.tell(.restarting), .start]
        case .idle, .restarting, .stopping, .stopped: return []
        }
    }

    /// It has not answered in time.
    mutating func hung() -> [Action] {
        guard case .running = state else { return [] }
        state = .restarting
        return [.beginReplacement, .end(within: .zero)]
    }

    mutating func ended(_ ending: ChildProcess.Ending, now: MonotonicTime) -> [Action] {
        switch state {
        case .running(let since):
            if Self.isBroken(ending) {
                state = .broken
                return [.tell(.broken)]
            }
            if since.duration(to: now) > Self.longLife { backoff.reset() }
            let pause = backoff.next()
            return [.tell(.ended(ending, again: pause)), wait(pause)]
        case .restarting:
            state = .running(since: now)
            return [.endReplacement, .start]
        case .stopping:
            state = .stopped
            return [.finished]
        case .idle, .waiting, .broken, .stopped: return []
        }
    }

    /// No process could be started.
    mutating func notStarted() -> [Action] {
        guard case .running = state else { return [] }
        return [.tell(.noProcess), wait(backoff.next())]
    }

    mutating func waited(_ number: Int, now: MonotonicTime) -> [Action] {
        guard state == .waiting(number: number) else { return [] }
        state = .running(since: now)
        return [.start]
    }

    mutating func stop(grace: Duration) -> [Action] {
        switch state {
        case .running, .restarting:
            state = .stopping
            return [.end(within: grace)]
        case .stopping: return [.end(within: grace)]
        case .idle, .waiting, .broken, .stopped:
            state = .stopped
            return [.finished]
        }
    }

    private mutating func wait(_ pause: Duration) -> Action {
        waits += 1
        state = .waiting(number: waits)
        return .wait(pause, number: waits)
    }
}
