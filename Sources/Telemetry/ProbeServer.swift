internal import CEpoll
public import EventLoops
internal import Glibc

/// A few GET endpoints for Kubernetes' probes and Prometheus, on the loop that is there already.
///
/// Not a general HTTP server on purpose: one request a connection, no bodies, 8 KiB of head, 10 seconds, 64
/// connections. It keeps the sidecar small; the gateway has a real one.
public actor ProbeServer {
    public struct Response: Sendable {
        public var status: Int
        public var contentType: String
        public var body: String

        public init(status: Int = 200, contentType: String = "text/plain; charset=utf-8", body: String) {
            self.status = status
            self.contentType = contentType
            self.body = body
        }
    }

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let routes: [String: @Sendable () async -> Response]
    private let patience: Duration
    private var listener: Int32 = -1
    private var connections: [Int32: Connection] = [:]
    private var lastNumber: UInt64 = 0

    private struct Connection {
        /// Tells it from one that had the same descriptor before.
        var number: UInt64
        var received: [UInt8] = []
        var toSend: ArraySlice<UInt8> = []
        var timer: EventLoop.Timer
        var isAnswering = false
        /// All is said; what is left is to let the client hear it.
        var isDone = false
    }

    /// - Parameters:
    ///   - patience: how long one connection may take.
    ///   - routes: what to answer, by path (`/healthz`).
    public init(
        on loop: EventLoop, patience: Duration = .seconds(10), routes: [String: @Sendable () async -> Response]
    ) {
        self.loop = loop
        self.patience = patience
        self.routes = routes
    }

    /// Starts to listen.
    /// - Parameter address: `host:port` with a numeric IPv4 host; `:port` listens on every interface. Port 0 takes a
    ///   free one.
    /// - Returns: the port.
    /// - Throws: `ProbeServerError` with the address and the reason.
    public func listen(on address: String) throws(ProbeServerError) -> Int {
        let (host, port) = try Self.parse(address)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        guard inet_pton(AF_INET, host, &name.sin_addr) == 1 else {
            throw ProbeServerError("'\(host)' in '\(address)' is no IPv4 address")
        }
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &name) { name in
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                bind(listener, name, size) == 0 && Glibc.listen(listener, 64) == 0
                    && getsockname(listener, name, &size) == 0
            }
        }
        guard status else {
            let reason = String(cString: strerror(errno))
            Glibc.close(listener)
            listener = -1
            throw ProbeServerError("cannot listen on '\(address)': \(reason)")
        }
        loop.watch(listener, for: .readable) { [weak self] _ in self?.assumeIsolated { $0.acceptAll() } }
        return Int(UInt16(bigEndian: name.sin_port))
    }

    public func close() {
        if listener >= 0 {
            loop.unwatch(listener)
            Glibc.close(listener)
            listener = -1
        }
        for descriptor in connections.keys { drop(descriptor) }
    }

    var connectionCount: Int { connections.count }

    private static func parse(_ address: String) throws(ProbeServerError) -> (host: String, port: Int) {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw ProbeServerError("'\(address)' is no address: expected host:port or :port") }
        let host = String(address[..<colon])
        return (host.isEmpty ? "0.0.0.0" : host == "localhost" ? "127.0.0.1" : host, port)
    }

    private func acceptAll() {
        while true {
            let descriptor = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
            guard descriptor >= 0 else { return errno == EAGAIN ? () : pause() }
            guard connections.count < 64 else {
                Glibc.close(descriptor)
                continue
            }
            let timer = loop.schedule(after: patience) { [weak self] in
                self?.assumeIsolated { $0.drop(descriptor) }
            }
            lastNumber += 1
            connections[descriptor] = Connection(number: lastNumber, timer: timer)
            loop.watch(descriptor, for: .readable) { [weak self] readiness in
                self?.assumeIsolated { $0.ready(descriptor, readiness) }
            }
        }
    }

    /// Out of descriptors, most likely: whoever waits to be accepted would wake the loop again and again.
    private func pause() {
        loop.rewatch(listener, for: [])
        loop.schedule(after: .milliseconds(100)) { [weak self] in
            self?.assumeIsolated { $0.loop.rewatch($0.listener, for: .readable) }
        }
    }

    private func ready(_ descriptor: Int32, _ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable) {
            send(descriptor)
        } else {
            receive(descriptor)
        }
    }

    private func receive(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 2048)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else {
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
            // A client that has sent its request may close its side and still read.
            if count == 0, let connection = connections[descriptor], connection.isAnswering, !connection.isDone {
                return loop.rewatch(descriptor, for: [])
            }
            return drop(descriptor)
        }
        guard var connection = connections[descriptor], !connection.isAnswering else { return }
        connection.received.append(contentsOf: buffer[..<count])
        let head = String(decoding: connection.received, as: UTF8.self)
        let isComplete = zip(head, head.dropFirst()).contains { $0 == "\r\n" && $1 == "\r\n" }
        connection.isAnswering = isComplete || connection.received.count > 8192
        connections[descriptor] = connection
        guard connection.isAnswering else { return }
        guard isComplete else {
            return answer(descriptor, Response(status: 431, body: "request head too large\n"), isHead: false)
        }
        route(descriptor, head)
    }

    private func route(_ descriptor: Int32, _ head: String) {
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ")
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
            return answer(descriptor, Response(status: 400, body: "no HTTP/1.1 request\n"), isHead: false)
        }
        let isHead = words[0] == "HEAD"
        guard words[0] == "GET" || isHead else {
            return answer(descriptor, Response(status: 405, body: "only GET is answered here\n"), isHead: false)
        }
        guard let route = routes[String(words[1].prefix { $0 != "?" })] else {
            let known = routes.keys.sorted().joined(separator: " ")
            return answer(descriptor, Response(status: 404, body: "not found; there are: \(known)\n"), isHead: isHead)
        }
        let number = connections[descriptor]?.number
        Task(executorPreference: loop) { [weak self] in
            let response = await route()
            await self?.answer(descriptor, number, response, isHead: isHead)
        }
    }

    /// Answers the connection that asked, unless it has gone meanwhile.
    private func answer(_ descriptor: Int32, _ number: UInt64?, _ response: Response, isHead: Bool) {
        if connections[descriptor]?.number == number { answer(descriptor, response, isHead: isHead) }
    }

    private func answer(_ descriptor: Int32, _ response: Response, isHead: Bool) {
        let reasons = [
            200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
            431: "Request Header Fields Too Large",
            503: "Service Unavailable",
        ]
        let head =
            "HTTP/1.1 \(response.status) \(reasons[response.status] ?? "Error")\r\n"
            + "Content-Type: \(response.contentType)\r\nContent-Length: \(response.body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n"
        connections[descriptor]?.toSend = Array((isHead ? head : head + response.body).utf8)[...]
        send(descriptor)
    }

    private func send(_ descriptor: Int32) {
        guard var connection = connections[descriptor] else { return }
        let count = connection.toSend.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count < 0 && errno != EAGAIN { return drop(descriptor) }
        connection.toSend.removeFirst(max(0, count))
        connection.isDone = connection.toSend.isEmpty
        connections[descriptor] = connection
        if connection.isDone {
            // Closed now, with something unread, the connection would be reset and the answer with it: the client
            // closes.
            shutdown(descriptor, Int32(SHUT_WR))
            loop.rewatch(descriptor, for: .readable)
            loop.cancel(connection.timer)
            connections[descriptor]?.timer = loop.schedule(after: .seconds(1)) { [weak self] in
                self?.assumeIsolated { $0.drop(descriptor) }
            }
        } else {
            loop.rewatch(descriptor, for: .writable)
        }
    }

    private func drop(_ descriptor: Int32) {
        guard let connection = connections.removeValue(forKey: descriptor) else { return }
        loop.cancel(connection.timer)
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
    }
}

public struct ProbeServerError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    init(_ message: String) { self.message = message }
    public var description: String { message }
}
