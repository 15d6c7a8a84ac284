internal import CPostgreSQL
internal import EventLoops
internal import Glibc

/// A logged-in `PGconn` on its way from the thread that opened it to the loop that will own it.
// @unchecked: handed from one thread to one other; nobody keeps a copy.
struct OpenedConnection: @unchecked Sendable {
    let pointer: OpaquePointer

    /// On a thread of its own, as the look-up of host names blocks. Takes `connectTimeout` at most, plus what the resolver needs.
    static func open(_ settings: ConnectionSettings) async throws(PostgreSQLError) -> OpenedConnection {
        try await BlockingThread.run { () throws(PostgreSQLError) in try openBlocking(settings) }
    }

    private static func openBlocking(_ settings: ConnectionSettings) throws(PostgreSQLError) -> OpenedConnection {
        let deadline = MonotonicTime.now.advanced(by: settings.connectTimeout)
        guard let pointer = start(settings) else {
            throw PostgreSQLError(.connectionFailed, "libpq found no memory for a connection")
        }
        do throws(PostgreSQLError) {
            try finish(pointer, by: deadline)
            PQsetNoticeProcessor(pointer, { _, _ in }, nil)  // the default writes to stderr
            guard PQsetnonblocking(pointer, 1) == 0 else { throw failure(pointer) }
            return OpenedConnection(pointer: pointer)
        } catch {
            PQfinish(pointer)
            throw error
        }
    }

    private static func start(_ settings: ConnectionSettings) -> OpaquePointer? {
        // A `dbname` that looks like a connection string is expanded: it overrides what stands before it.
        var options = [
            ("fallback_application_name", settings.applicationName),
            ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "20000"),
        ]
        if let timeout = settings.statementTimeout {
            options.append(("options", "-c statement_timeout=\(timeout.nanosecondsClamped / 1_000_000)"))
        }
        options += [("dbname", settings.url), ("client_encoding", "UTF8")]
        let keywords = options.map { strdup($0.0) }
        let values = options.map { strdup($0.1) }
        defer { for text in keywords + values { free(text) } }
        let pointers = (keywords + [nil]).map { UnsafePointer($0) }
        return PQconnectStartParams(pointers, (values + [nil]).map { UnsafePointer($0) }, 1)
    }

    private static func finish(_ pointer: OpaquePointer, by deadline: MonotonicTime) throws(PostgreSQLError) {
        guard PQstatus(pointer) != CONNECTION_BAD else { throw failure(pointer) }
        // The first wait is for writing (libpq, "PQconnectStartParams").
        var events = Int16(POLLOUT)
        while true {
            // Asked for anew each time: libpq may go on to another address with another socket.
            try wait(for: events, on: PQsocket(pointer), until: deadline)
            switch PQconnectPoll(pointer) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: events = Int16(POLLIN)
            case PGRES_POLLING_WRITING: events = Int16(POLLOUT)
            default: throw failure(pointer)
            }
        }
    }

    private static func wait(for events: Int16, on socket: Int32, until deadline: MonotonicTime) throws(PostgreSQLError)
    {
        while true {
            let remaining = MonotonicTime.now.duration(to: deadline).nanosecondsClamped / 1_000_000
            guard remaining > 0 else { throw PostgreSQLError(.connectionFailed, "no connection in time") }
            var descriptor = pollfd(fd: socket, events: events, revents: 0)
            let count = poll(&descriptor, 1, Int32(clamping: remaining))
            if count > 0 { return }
            if count < 0 && errno != EINTR { throw PostgreSQLError(.connectionFailed, "poll failed (errno \(errno))") }
        }
    }

    private static func failure(_ pointer: OpaquePointer) -> PostgreSQLError {
        var message = String(cString: PQerrorMessage(pointer))
        while message.last?.isWhitespace == true { message.removeLast() }
        return PostgreSQLError(.connectionFailed, message)
    }
}
