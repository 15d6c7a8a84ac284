internal import CEpoll
internal import Glibc
internal import HeapModule
internal import Synchronization

/// One thread, one poll set, one job queue.
///
/// An `actor` that names a loop as its executor may own a C handle that is not thread-safe: all of its code runs on the
/// loop's thread. Actors that share a loop call each other without a thread switch. As a `TaskExecutor` the loop also
/// keeps the tasks around them on its thread (`withTaskExecutorPreference(loop)`).
///
/// Nothing on a loop may block; what must block goes to `BlockingThread`.
// @unchecked: `inbox` is behind a mutex, `thread` is written before the loop is shared, and everything in `LoopState`
// is touched on the loop's thread only (each entry point checks that).
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    public let name: String
    private let epoll: Int32
    private let wake: Int32
    private let inbox = Mutex(Inbox())
    private let state = LoopState()
    private var thread = pthread_t()

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isWoken = false
        var isStopping = false
    }

    /// Starts the thread. The process ends with a message when the kernel gives no descriptor or thread: nothing could
    /// run without.
    public init(name: String) {
        self.name = name
        epoll = epoll_create1(TROUPE_EPOLL_CLOEXEC)
        wake = eventfd(0, TROUPE_EFD_FLAGS)
        precondition(
            epoll >= 0 && wake >= 0, "event loop \(name): no file descriptor left (errno \(errno)); raise `ulimit -n`")
        var interest = epoll_event(events: TROUPE_EPOLLIN, data: epoll_data_t(u64: LoopState.wakeToken))
        precondition(
            epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &interest) == 0,
            "event loop \(name): epoll_ctl failed (errno \(errno))")
        startThread()
    }

    private func startThread() {
        // The thread must not run before `thread` is stored: it compares itself with it.
        inbox.withLock { _ in
            let context = Unmanaged.passRetained(self).toOpaque()
            let status = pthread_create(
                &thread, nil,
                { context in
                    guard let context else { return nil }
                    let loop = Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue()
                    loop.inbox.withLock { _ in }
                    loop.run()
                    return nil
                }, context)
            precondition(status == 0, "event loop \(name): no thread (error \(status)); raise `ulimit -u`")
        }
        pthread_detach(thread)
    }

    /// Whether the caller runs on this loop's thread.
    public var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

    /// Ends the thread once its queue is empty. Jobs that arrive later never run.
    public func stop() {
        inbox.withLock { $0.isStopping = true }
        signal()
    }

    // MARK: Executor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            state.jobs.append(job)
            return
        }
        let needsWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            defer { inbox.isWoken = true }
            return !inbox.isWoken
        }
        if needsWake { signal() }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    public func checkIsolated() {
        precondition(isCurrent, "not on event loop \(name)")
    }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    // MARK: Readiness, time, end of turn (on the loop's thread only)

    /// What a descriptor is watched for, or has become.
    public struct Readiness: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let readable = Readiness(rawValue: TROUPE_EPOLLIN)
        public static let writable = Readiness(rawValue: TROUPE_EPOLLOUT)
        /// Error or hang-up; reported whether asked for or not.
        public static let closed = Readiness(rawValue: TROUPE_EPOLLERR | TROUPE_EPOLLHUP)
    }

    /// Calls `handler` each time the descriptor is ready (level-triggered), until `unwatch`.
    public func watch(_ descriptor: Int32, for readiness: Readiness, handler: @escaping (Readiness) -> Void) {
        checkIsolated()
        let token = state.addWatch(descriptor, handler)
        var interest = epoll_event(events: readiness.rawValue, data: epoll_data_t(u64: token))
        let status = epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &interest)
        precondition(status == 0, "event loop \(name): cannot watch descriptor \(descriptor) (errno \(errno))")
    }

    /// Changes what a watched descriptor is watched for.
    public func rewatch(_ descriptor: Int32, for readiness: Readiness) {
        checkIsolated()
        guard let token = state.tokens[descriptor] else { return }
        var interest = epoll_event(events: readiness.rawValue, data: epoll_data_t(u64: token))
        _ = epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &interest)
    }

    /// Call before the descriptor is closed: a closed number may belong to another connection the next moment.
    public func unwatch(_ descriptor: Int32) {
        checkIsolated()
        guard state.removeWatch(descriptor) else { return }
        _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
    }

    /// Calls `handler` once, `delay` from now (never earlier, usually within a millisecond), unless cancelled.
    @discardableResult
    public func schedule(after delay: Duration, _ handler: @escaping () -> Void) -> Timer {
        checkIsolated()
        return state.addTimer(at: MonotonicTime.now.advanced(by: delay), handler)
    }

    public func cancel(_ timer: Timer) {
        checkIsolated()
        state.cancelTimer(timer)
    }

    /// Calls `handler` when all that is ready now has run: the place to send in one go what a turn has gathered.
    public func atEndOfTurn(_ handler: @escaping () -> Void) {
        checkIsolated()
        state.endOfTurn.append(handler)
    }

    /// Suspends for `delay`; returns early, without an error, when the task is cancelled.
    public func sleep(for delay: Duration) async {
        let sleeper = Sleeper(loop: self)
        await withTaskCancellationHandler {
            await sleeper.sleep(for: delay)
        } onCancel: {
            Task { await sleeper.wake() }
        }
    }

    public struct Timer: Sendable, Hashable {
        let number: UInt64
    }

    // MARK: The thread

    private func run() {
        troupe_name_thread(name)
        let executor = asUnownedSerialExecutor()
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let isStopping = takeInbox()
            runJobs(on: executor)
            state.runEndOfTurn()
            runJobs(on: executor)
            if isStopping && state.jobs.isEmpty { break }

            let count = epoll_wait(epoll, &events, Int32(events.count), timeout())
            for index in 0..<max(0, Int(count)) {
                let event = events[index]
                if event.data.u64 == LoopState.wakeToken {
                    drainWake()
                } else {
                    state.handlers[event.data.u64]?(Readiness(rawValue: event.events))
                }
            }
            state.runDueTimers(now: .now)
        }
    }

    deinit {
        close(epoll)
        close(wake)
    }

    private func takeInbox() -> Bool {
        inbox.withLock { inbox in
            if !inbox.jobs.isEmpty {
                state.jobs.append(contentsOf: inbox.jobs)
                inbox.jobs.removeAll(keepingCapacity: true)
            }
            inbox.isWoken = false
            return inbox.isStopping
        }
    }

    /// Runs what is queued and what that queues, but polls after a while so that a busy queue starves no socket.
    private func runJobs(on executor: UnownedSerialExecutor) {
        var index = 0
        while index < state.jobs.count && index < 4096 {
            let job = state.jobs[index]
            index += 1
            job.runSynchronously(isolatedTo: executor, taskExecutor: asUnownedTaskExecutor())
        }
        state.jobs.removeFirst(index)
    }

    private func timeout() -> Int32 {
        if !state.jobs.isEmpty || !state.endOfTurn.isEmpty { return 0 }
        guard let deadline = state.nextDeadline() else { return -1 }
        let milliseconds = deadline.millisecondsFromNow
        return Int32(clamping: milliseconds)
    }

    private func signal() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    private func drainWake() {
        var count: UInt64 = 0
        _ = read(wake, &count, 8)
    }
}

/// What only the loop's thread touches.
private final class LoopState {
    static let wakeToken = UInt64.max

    var jobs: [UnownedJob] = []
    var endOfTurn: [() -> Void] = []
    /// Handlers by token, not by descriptor: an event still in hand for a closed descriptor must not reach its
    /// successor.
    var handlers: [UInt64: (EventLoop.Readiness) -> Void] = [:]
    var tokens: [Int32: UInt64] = [:]
    private var lastNumber: UInt64 = 0
    private var deadlines = Heap<Deadline>()
    private var timers: [UInt64: () -> Void] = [:]

    func addWatch(_ descriptor: Int32, _ handler: @escaping (EventLoop.Readiness) -> Void) -> UInt64 {
        lastNumber += 1
        tokens[descriptor] = lastNumber
        handlers[lastNumber] = handler
        return lastNumber
    }

    func removeWatch(_ descriptor: Int32) -> Bool {
        guard let token = tokens.removeValue(forKey: descriptor) else { return false }
        handlers[token] = nil
        return true
    }

    func addTimer(at time: MonotonicTime, _ handler: @escaping () -> Void) -> EventLoop.Timer {
        lastNumber += 1
        deadlines.insert(Deadline(time: time, number: lastNumber))
        timers[lastNumber] = handler
        return EventLoop.Timer(number: lastNumber)
    }

    func cancelTimer(_ timer: EventLoop.Timer) {
        timers[timer.number] = nil
        // Cancelled entries stay in the heap until due; sweep them when they are most of it.
        guard deadlines.count > 64 && deadlines.count > 4 * timers.count else { return }
        deadlines = Heap(deadlines.unordered.filter { timers[$0.number] != nil })
    }

    func nextDeadline() -> MonotonicTime? {
        while let first = deadlines.min {
            if timers[first.number] != nil { return first.time }
            deadlines.removeMin()
        }
        return nil
    }

    func runDueTimers(now: MonotonicTime) {
        while let first = deadlines.min, first.time <= now {
            deadlines.removeMin()
            timers.removeValue(forKey: first.number)?()
        }
    }

    func runEndOfTurn() {
        guard !endOfTurn.isEmpty else { return }
        let handlers = endOfTurn
        endOfTurn.removeAll(keepingCapacity: true)
        for handler in handlers { handler() }
    }

    private struct Deadline: Comparable {
        let time: MonotonicTime
        let number: UInt64
        static func < (left: Self, right: Self) -> Bool { (left.time, left.number) < (right.time, right.number) }
    }
}

/// One `sleep`: a timer that a cancelled task can end early.
private actor Sleeper {
    nonisolated let loop: EventLoop
    private var timer: EventLoop.Timer?
    private var waiting: CheckedContinuation<Void, Never>?
    private var isWoken = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop) { self.loop = loop }

    func sleep(for delay: Duration) async {
        await withCheckedContinuation { continuation in
            // Looked at here: a task without the loop as its preference lets others run at every `await`, this one
            // included.
            if isWoken { return continuation.resume() }
            waiting = continuation
            timer = loop.schedule(after: delay) { self.assumeIsolated { $0.wake() } }
        }
    }

    func wake() {
        isWoken = true
        if let timer { loop.cancel(timer) }
        timer = nil
        waiting?.resume()
        waiting = nil
    }
}
