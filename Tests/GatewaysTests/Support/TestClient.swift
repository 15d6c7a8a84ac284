import Envelopes
import EventLoops
import Foundation
import Synchronization

/// A client on plain sockets: it can send what no well-behaved client would.
struct TestClient: Sendable {
    let port: Int
    /// Sent with every request.
    var headers: [String: String] = [:]

    func with(_ headers: [String: String]) -> TestClient { TestClient(port: port, headers: headers) }

    struct Answer: Sendable {
        var status: Int
        var headers: [String: String]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        /// The member of that name of a JSON body.
        subscript(name: String) -> RawJSON? { (try? RawJSON(body))?[name] }
        var code: String? { self["code"]?.string }
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> Answer {
        try await send("GET", path, headers: headers)
    }

    func post(_ path: String, _ body: String, headers: [String: String] = [:]) async throws -> Answer {
        try await send("POST", path, headers: headers, body: Array(body.utf8))
    }

    func send(_ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil) async throws
        -> Answer
    {
        var head = "\(method) \(path) HTTP/1.1\r\nConnection: close\r\n"
        if headers["Host"] == nil { head += "Host: localhost\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        for (name, value) in self.headers.merging(headers, uniquingKeysWith: { $1 }) { head += "\(name): \(value)\r\n" }
        return try await send(raw: Array((head + "\r\n").utf8) + (body ?? []), isHead: method == "HEAD")
    }

    /// Sends bytes as they are, and reads the answer.
    /// - Parameter closesEarly: closes the sending side after them.
    func send(raw bytes: [UInt8], isHead: Bool = false, closesEarly: Bool = false) async throws -> Answer {
        let port = port
        return try await BlockingThread.run {
            Result {
                let socket = try TestSocket(port: port)
                defer { socket.close() }
                socket.send(bytes)
                if closesEarly { socket.finishSending() }
                return try Self.readAnswer(socket, isHead: isHead)
            }
        }.get()
    }

    private static func readAnswer(_ socket: TestSocket, isHead: Bool) throws -> Answer {
        let (status, headers) = try socket.readHead()
        var body: [UInt8] = []
        if isHead {
        } else if let length = headers["content-length"].flatMap(Int.init) {
            while body.count < length { body += try socket.read(atMost: length - body.count) }
        } else if headers["transfer-encoding"] == "chunked" {
            while let chunk = try socket.readChunk() { body += chunk }
        }
        return Answer(status: status, headers: headers, body: body)
    }

    /// Opens an event stream.
    /// - Parameter body: posts it; without, the stream is got.
    func events(
        _ path: String, lastEventID: String? = nil, headers: [String: String] = [:], body: String? = nil
    ) async throws -> TestEventStream {
        let port = port
        return try await BlockingThread.run {
            Result {
                let socket = try TestSocket(port: port)
                var sent = self.headers.merging(headers) { $1 }
                if sent["Accept"] == nil { sent["Accept"] = "text/event-stream" }
                sent["Last-Event-ID"] = lastEventID
                if let body { sent["Content-Length"] = String(body.utf8.count) }
                var request = "\(body == nil ? "GET" : "POST") \(path) HTTP/1.1\r\nHost: localhost\r\n"
                for (name, value) in sent { request += "\(name): \(value)\r\n" }
                socket.send(Array((request + "\r\n" + (body ?? "")).utf8))
                let (status, headers) = try socket.readHead()
                return TestEventStream(socket, status: status, headers: headers)
            }
        }.get()
    }
}

/// Reads an event stream on a thread of its own.
final class TestEventStream: Sendable {
    struct Event: Sendable {
        var id: Int? { eventID.flatMap { Int($0) } }
        var eventID: String?
        var name: String?
        var data: String
        /// For a comment.
        var comment: String?

        subscript(name: String) -> RawJSON? { (try? RawJSON(Array(data.utf8)))?[name] }
    }

    let status: Int
    let headers: [String: String]
    let events: AsyncStream<Event>
    private let socket: TestSocket

    init(_ socket: TestSocket, status: Int, headers: [String: String]) {
        self.socket = socket
        self.status = status
        self.headers = headers
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        self.events = events
        Thread.detachNewThread {
            var text: [UInt8] = []
            while let chunk = try? socket.readChunk() {
                text += chunk
                while let end = text.firstRange(of: Array("\n\n".utf8)) {
                    continuation.yield(Self.parse(String(decoding: text[..<end.lowerBound], as: UTF8.self)))
                    text.removeSubrange(..<end.upperBound)
                }
            }
            continuation.finish()
            socket.close()
        }
    }

    /// All events until the server ends the stream, comments left out.
    func all() async -> [Event] {
        var list: [Event] = []
        for await event in events where event.comment == nil { list.append(event) }
        return list
    }

    func hangUp() { socket.shutDown() }

    private static func parse(_ text: String) -> Event {
        var event = Event(data: "")
        for line in text.split(separator: "\n") {
            if line.hasPrefix(":") { event.comment = String(line.dropFirst()) }
            if line.hasPrefix("id: ") { event.eventID = String(line.dropFirst(4)) }
            if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
            if line.hasPrefix("data: ") { event.data += line.dropFirst(6) }
        }
        return event
    }
}

/// A blocking socket with a buffer.
// @unchecked: one thread at a time reads; hanging up and closing go through `isOpen`.
final class TestSocket: @unchecked Sendable {
    private let descriptor: Int32
    /// A closed descriptor's number may belong to another connection the next moment.
    private let isOpen = Mutex(true)
    private var buffer: [UInt8] = []

    struct Ended: Error {}

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Ended() }
    }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // The server may answer and close before it has read everything.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }
    func shutDown() { isOpen.withLock { if $0 { shutdown(descriptor, Int32(SHUT_RDWR)) } } }

    func close() {
        isOpen.withLock { isOpen in
            if isOpen { Glibc.close(descriptor) }
            isOpen = false
        }
    }

    /// Whether the other end has closed, and all that it has sent is read.
    var isClosed: Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count == 0 || count < 0 && errno != EAGAIN
    }

    func read(atMost limit: Int) throws -> [UInt8] {
        if buffer.isEmpty { try fill() }
        let bytes = Array(buffer.prefix(limit))
        buffer.removeFirst(bytes.count)
        return bytes
    }

    func readHead() throws -> (Int, [String: String]) {
        let lines = try read(until: "\r\n\r\n").split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Ended()
        }
        return (status, headers)
    }

    /// `nil` at the last chunk.
    func readChunk() throws -> [UInt8]? {
        guard let size = Int(try read(until: "\r\n"), radix: 16) else { throw Ended() }
        var chunk: [UInt8] = []
        while chunk.count < size { chunk += try read(atMost: size - chunk.count) }
        _ = try read(until: "\r\n")
        return size == 0 ? nil : chunk
    }

    private func read(until end: String) throws -> String {
        while true {
            if let range = buffer.firstRange(of: Array(end.utf8)) {
                defer { buffer.removeSubrange(..<range.upperBound) }
                return String(decoding: buffer[..<range.lowerBound], as: UTF8.self)
            }
            try fill()
        }
    }

    private func fill() throws {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { throw Ended() }
        buffer += bytes[..<count]
    }
}
