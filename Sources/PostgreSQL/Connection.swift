internal import CPostgreSQL
internal import DequeModule
public import EventLoops

/// One connection to PostgreSQL, asynchronous throughout. Statements run one after the other, in the order of the calls.
///
/// Lives until `close()` or until the server goes away; call `close()` when done with it.
public actor Connection {
    private let loop: EventLoop
    private let settings: ConnectionSettings
    private let descriptor: Int32
    /// `nil` once closed.
    private var handle: OpaquePointer?
    private var closeReason: PostgreSQLError?
    private var waiting = Deque<Request>()
    private var active: Request?
    private var isWaitingToWrite = false
    /// A cancel request is on its way to the server; the next statement must not run into it.
    private var isCancelling = false
    private var lastID: UInt64 = 0
    private var statementNames: [StatementKey: String] = [:]
    private var listeners: [String: AsyncStream<Notification>.Continuation] = [:]
    private var closeHandlers: [@Sendable (PostgreSQLError) -> Void] = []

    /// How long a cancelled statement may take to end before the connection is given up.
    private static let cancelGrace = Duration.seconds(5)

    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Throws: `.connectionFailed`, with the server's SQLSTATE where it answered.
    public static func connect(_ settings: ConnectionSettings, on loop: EventLoop) async throws(PostgreSQLError)
        -> Connection
    {
        let opened = try await OpenedConnection.open(settings)
        let connection = Connection(opened, settings, loop)
        await connection.startWatching()
        return connection
    }

    private init(_ opened: OpenedConnection, _ settings: ConnectionSettings, _ loop: EventLoop) {
        self.loop = loop
        self.settings = settings
        handle = opened.pointer
        descriptor = PQsocket(opened.pointer)
    }

    // MARK: Statements

    /// Runs one statement with `$1`, `$2`, ... filled from `parameters`.
    ///
    /// When `timeout` passes or the task is cancelled, the statement is cancelled on the server; a server that doesn't react
    /// costs the connection. The connection stays usable after every other error.
    /// - Throws: `.server` with a SQLSTATE, `.timeout`, `.cancelled`, `.connectionLost`, `.closed`.
    @discardableResult
    public func query(
        _ sql: String, _ parameters: [Parameter] = [], timeout: Duration? = nil
    ) async throws(PostgreSQLError) -> Rows {
        lastID += 1
        let id = lastID
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enqueue(id, sql, parameters, timeout, continuation)
            }
        } onCancel: {
            Task { await self.interrupt(id, .taskCancelled) }
        }
        return try result.get()
    }

    /// Whether the next user gets a connection that is open and outside of any transaction.
    public var isReusable: Bool {
        guard let handle, active == nil, waiting.isEmpty, !isCancelling else { return false }
        return PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    public var isClosed: Bool { handle == nil }

    /// The server's major and minor version as libpq numbers it: 150020 is 15.20.
    public var serverVersion: Int { handle.map { Int(PQserverVersion($0)) } ?? 0 }

    private func enqueue(
        _ id: UInt64, _ sql: String, _ parameters: [Parameter], _ timeout: Duration?,
        _ continuation: CheckedContinuation<Result<Rows, PostgreSQLError>, Never>
    ) {
        // Cancelled on the way here: `interrupt` has found nothing to interrupt.
        guard !Task.isCancelled else { return continuation.resume(returning: .failure(.taskCancelled)) }
        if let closeReason { return continuation.resume(returning: .failure(closeReason)) }
        let request = Request(
            id: id, sql: sql, parameters: parameters, steps: steps(for: sql, parameters, id), continuation: continuation
        )
        if let timeout {
            request.timer = loop.schedule(after: timeout) {
                self.assumeIsolated { $0.interrupt(id, PostgreSQLError(.timeout, "no answer in time")) }
            }
        }
        waiting.append(request)
        startNext()
    }

    private func steps(for sql: String, _ parameters: [Parameter], _ id: UInt64) -> [Request.Step] {
        // Without parameters it is a BEGIN or a LISTEN: nothing to gain.
        guard settings.usesPreparedStatements, !parameters.isEmpty else { return [.execute(name: nil)] }
        let key = StatementKey(sql, parameters)
        if let name = statementNames[key] { return [.execute(name: name)] }
        let name = "s\(id)"
        return [.prepare(name: name), .execute(name: name)]
    }

    private func startNext() {
        guard active == nil, !isCancelling, let request = waiting.popFirst() else { return }
        active = request
        startStep(of: request)
    }

    private func startStep(of request: Request) {
        guard let handle, let step = request.steps.popFirst() else { return finishActive() }
        let isSent =
            switch step {
            case .prepare(let name): Sending.prepare(handle, name: name, sql: request.sql, request.parameters)
            case .execute(let name?): Sending.execute(handle, prepared: name, request.parameters)
            case .execute(nil): Sending.execute(handle, sql: request.sql, request.parameters)
            }
        guard isSent else { return lose() }
        flush()
    }

    /// All results of the active request's step are in.
    private func finishStep() {
        guard let request = active else { return }
        if request.error == nil, request.interruption == nil, case .execute(let name?) = request.steps.first {
            statementNames[StatementKey(request.sql, request.parameters)] = name
        }
        if request.error != nil || request.steps.isEmpty {
            finishActive()
        } else if let interruption = request.interruption {
            active = nil
            cancelTimer(of: request)
            request.fail(interruption)
            startNext()
        } else {
            startStep(of: request)
        }
    }

    private func finishActive() {
        guard let request = active else { return }
        active = nil
        cancelTimer(of: request)
        if request.error?.sqlState == .invalidStatementName { statementNames.removeAll() }
        request.finish()
        startNext()
    }

    private func cancelTimer(of request: Request) {
        if let timer = request.timer { loop.cancel(timer) }
        request.timer = nil
    }

    // MARK: Interruption

    private func interrupt(_ id: UInt64, _ reason: PostgreSQLError) {
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            let request = waiting.remove(at: index)
            cancelTimer(of: request)
            request.fail(reason)
        } else if let request = active, request.id == id, request.interruption == nil {
            request.interruption = reason
            cancelTimer(of: request)
            cancelOnServer()
            request.timer = loop.schedule(after: Self.cancelGrace) {
                self.assumeIsolated {
                    $0.close(because: PostgreSQLError(.connectionLost, "a cancelled statement didn't end"))
                }
            }
        }
    }

    private func cancelOnServer() {
        guard let handle, let cancel = CancelRequest(handle) else { return close(because: lostReason()) }
        isCancelling = true
        Task {
            // It makes a connection of its own, and waits until the server has taken it in.
            await BlockingThread.run { cancel.send() }
            self.isCancelling = false
            self.startNext()
        }
    }

    // MARK: Notifications

    /// Listens on a channel until the connection ends or the stream is dropped. A reader that falls far behind loses the
    /// connection rather than single notifications: it must read again what they were about, and knows it.
    public func notifications(on channel: String) async throws(PostgreSQLError) -> AsyncStream<Notification> {
        try await query("LISTEN \(quotedIdentifier(channel))")
        if let closeReason { throw closeReason }
        let (stream, continuation) = AsyncStream.makeStream(
            of: Notification.self, bufferingPolicy: .bufferingOldest(16_384))
        listeners[channel]?.finish()
        listeners[channel] = continuation
        return stream
    }

    private func deliverNotifications(_ handle: OpaquePointer) {
        while let notification = PQnotifies(handle) {
            let channel = String(cString: notification.pointee.relname)
            let payload = String(cString: notification.pointee.extra)
            PQfreemem(notification)
            guard let listener = listeners[channel] else { continue }
            if case .dropped = listener.yield(Notification(channel: channel, payload: payload)) {
                return close(because: PostgreSQLError(.connectionLost, "notifications came faster than they were read"))
            }
        }
    }

    // MARK: The socket

    private func startWatching() {
        loop.watch(descriptor, for: .readable) { readiness in
            self.assumeIsolated { $0.socketIsReady(readiness) }
        }
    }

    private func socketIsReady(_ readiness: EventLoop.Readiness) {
        guard let handle else { return }
        if readiness != .writable, PQconsumeInput(handle) == 0 { return lose() }
        if isWaitingToWrite { flush() }
        takeResults()
        if let handle = self.handle { deliverNotifications(handle) }
    }

    private func takeResults() {
        while let handle, let request = active, PQisBusy(handle) == 0 {
            guard let pointer = PQgetResult(handle) else {
                finishStep()
                continue
            }
            let result = QueryResult(pointer)
            switch result.status {
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                return close(because: PostgreSQLError(.unexpectedResult, "COPY is not supported"))
            default: request.take(result)
            }
        }
        if let handle, PQstatus(handle) == CONNECTION_BAD { lose() }
    }

    private func flush() {
        guard let handle else { return }
        let status = PQflush(handle)
        guard status >= 0 else { return lose() }
        guard isWaitingToWrite != (status == 1) else { return }
        isWaitingToWrite = status == 1
        loop.rewatch(descriptor, for: isWaitingToWrite ? [.readable, .writable] : .readable)
    }

    // MARK: The end

    /// Ends the connection at once; statements under way fail with `.closed`.
    public func close() {
        close(because: PostgreSQLError(.closed, "the connection was closed"))
    }

    /// Calls `handler` when the connection has ended, at once if it has already.
    func onClose(_ handler: @escaping @Sendable (PostgreSQLError) -> Void) {
        if let closeReason { return handler(closeReason) }
        closeHandlers.append(handler)
    }

    private func lose() { close(because: lostReason()) }

    private func lostReason() -> PostgreSQLError {
        var message = handle.map { String(cString: PQerrorMessage($0)) } ?? ""
        while message.last?.isWhitespace == true { message.removeLast() }
        return PostgreSQLError(.connectionLost, message.isEmpty ? "the connection ended" : message)
    }

    private func close(because reason: PostgreSQLError) {
        guard let handle else { return }
        closeReason = reason
        self.handle = nil
        loop.unwatch(descriptor)
        PQfinish(handle)

        let requests = (active.map { [$0] } ?? []) + waiting
        active = nil
        waiting.removeAll()
        for request in requests {
            cancelTimer(of: request)
            request.fail(reason)
        }
        for listener in listeners.values { listener.finish() }
        listeners.removeAll()
        for handler in closeHandlers { handler(reason) }
        closeHandlers.removeAll()
    }

    /// A statement is prepared for certain parameter types.
    private struct StatementKey: Hashable {
        let sql: String
        let types: [TypeID]

        init(_ sql: String, _ parameters: [Parameter]) {
            self.sql = sql
            types = parameters.map(\.type)
        }
    }
}
