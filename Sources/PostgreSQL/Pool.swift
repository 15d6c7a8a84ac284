internal import DequeModule
public import EventLoops

/// A bounded set of connections to one database, lent out one user at a time.
///
/// Grows on demand, drops connections that the server has ended, and connects again with growing pauses while the database is
/// away: calls then fail at once with the reason rather than wait.
public actor Pool {
    private let loop: EventLoop
    private nonisolated let settings: PoolSettings
    private var idle: [Connection] = []
    private var lentCount = 0
    private var connectingCount = 0
    private var waiters = Deque<Waiter>()
    private var lastWaiterID: UInt64 = 0
    private var backoff = Backoff()
    /// Why the last try to connect failed, until one succeeds.
    private var failure: PostgreSQLError?
    private var isRetryScheduled = false
    private var isClosed = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    public init(_ settings: PoolSettings, on loop: EventLoop) {
        self.settings = settings
        self.loop = loop
    }

    // MARK: Use

    /// Lends a connection to `body`. One that comes back inside a transaction, or broken, is not lent again.
    /// - Throws: `.poolExhausted` when none gets free within `waitLimit`, `.connectionFailed` when the database is away, and what
    ///   `body` throws.
    public nonisolated func withConnection<Value: Sendable>(
        _ body: @Sendable (Connection) async throws -> Value
    ) async throws -> Value {
        let connection = try await lend()
        let start = MonotonicTime.now
        defer { settings.onReturn?(start.duration(to: .now)) }
        do {
            let value = try await body(connection)
            await take(back: connection)
            return value
        } catch {
            await take(back: connection)
            throw error
        }
    }

    /// One statement on a connection of its own. See `Connection.query`.
    @discardableResult
    public nonisolated func query(
        _ sql: String, _ parameters: [Parameter] = [], timeout: Duration? = nil
    ) async throws(PostgreSQLError) -> Rows {
        let connection = try await lend()
        let start = MonotonicTime.now
        defer { settings.onReturn?(start.duration(to: .now)) }
        do throws(PostgreSQLError) {
            let rows = try await connection.query(sql, parameters, timeout: timeout)
            await take(back: connection)
            return rows
        } catch {
            await take(back: connection)
            throw error
        }
    }

    public struct Statistics: Sendable, Hashable {
        public var idle: Int
        public var lent: Int
        public var waiting: Int
    }

    public var statistics: Statistics { Statistics(idle: idle.count, lent: lentCount, waiting: waiters.count) }

    /// Ends all connections that aren't lent, and the lent ones when they come back. Waiting calls fail with `.closed`.
    public func close() async {
        isClosed = true
        let connections = idle
        idle.removeAll()
        failWaiters(closedError)
        for connection in connections { await connection.close() }
    }

    // MARK: Lending

    private struct Waiter {
        let id: UInt64
        let timer: EventLoop.Timer
        let continuation: CheckedContinuation<Result<Connection, PostgreSQLError>, Never>
    }

    private var closedError: PostgreSQLError { PostgreSQLError(.closed, "the pool was closed") }

    private func lend() async throws(PostgreSQLError) -> Connection {
        let start = MonotonicTime.now
        let connection = try await take()
        settings.onLend?(start.duration(to: .now))
        return connection
    }

    private func take() async throws(PostgreSQLError) -> Connection {
        if isClosed { throw closedError }
        while let connection = idle.popLast() {
            lentCount += 1
            // Both actors live on one loop: no thread switch.
            if await !connection.isClosed { return connection }
            lentCount -= 1
        }
        if isClosed { throw closedError }
        if let failure, lentCount == 0 { throw failure }
        guard waiters.count < settings.waiterLimit else {
            throw PostgreSQLError(.poolExhausted, "\(waiters.count) calls wait for a connection already")
        }
        lastWaiterID += 1
        let id = lastWaiterID
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<Connection, PostgreSQLError>, Never>) in
                guard !Task.isCancelled else { return continuation.resume(returning: .failure(.taskCancelled)) }
                let timer = loop.schedule(after: settings.waitLimit) {
                    self.assumeIsolated {
                        $0.fail(id, PostgreSQLError(.poolExhausted, "no connection became free in time"))
                    }
                }
                waiters.append(Waiter(id: id, timer: timer, continuation: continuation))
                growIfNeeded()
            }
        } onCancel: {
            Task { await self.fail(id, .taskCancelled) }
        }
        return try result.get()
    }

    private func take(back connection: Connection) async {
        let isReusable = await connection.isReusable
        lentCount -= 1
        if isReusable && !isClosed {
            give(connection)
        } else {
            await connection.close()
            growIfNeeded()
        }
    }

    /// To the first in line, or to the idle ones.
    private func give(_ connection: Connection) {
        guard let waiter = waiters.popFirst() else {
            idle.append(connection)
            return
        }
        lentCount += 1
        loop.cancel(waiter.timer)
        waiter.continuation.resume(returning: .success(connection))
    }

    private func fail(_ id: UInt64, _ reason: PostgreSQLError) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        let waiter = waiters.remove(at: index)
        loop.cancel(waiter.timer)
        waiter.continuation.resume(returning: .failure(reason))
    }

    private func failWaiters(_ reason: PostgreSQLError) {
        while let waiter = waiters.popFirst() {
            loop.cancel(waiter.timer)
            waiter.continuation.resume(returning: .failure(reason))
        }
    }

    // MARK: Connecting

    private func growIfNeeded() {
        let count = idle.count + lentCount + connectingCount
        guard !isClosed, !isRetryScheduled, count < settings.size else { return }
        // One is kept ready while the database is known to be away: it notices the return.
        guard connectingCount < waiters.count || (failure != nil && connectingCount == 0) else { return }
        connectingCount += 1
        Task { await self.connect() }
    }

    private func connect() async {
        do throws(PostgreSQLError) {
            let connection = try await Connection.connect(settings.connection, on: loop)
            await connection.onClose { [weak connection] _ in
                guard let connection else { return }
                Task { await self.forget(connection) }
            }
            // It counts as connecting until it is lent or idle: nothing may suspend from here on.
            connectingCount -= 1
            guard !isClosed else { return await connection.close() }
            failure = nil
            backoff.reset()
            give(connection)
            growIfNeeded()
        } catch {
            connectingCount -= 1
            failure = error
            // Whoever holds a connection brings it back; without any, waiting is in vain.
            if lentCount == 0 { failWaiters(error) }
            retryLater()
        }
    }

    private func retryLater() {
        guard !isRetryScheduled, !isClosed else { return }
        isRetryScheduled = true
        loop.schedule(after: backoff.next()) {
            self.assumeIsolated { pool in
                pool.isRetryScheduled = false
                pool.growIfNeeded()
            }
        }
    }

    /// The server has ended it; a lent one is noticed when it comes back.
    private func forget(_ connection: Connection) {
        idle.removeAll { $0 === connection }
    }
}
