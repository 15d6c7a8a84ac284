internal import CEpoll
internal import EventLoops
internal import Glibc

/// One connection to the runtime's socket: a request out, its reply in, one pair at a time. Lives on the loop's thread.
final class RuntimeConnection {
    /// What ended a call.
    enum Ending: Sendable {
        case reply([UInt8])
        /// The peer closed, or could not be written to, before a whole reply was here.
        case closed(afterBytes: Int)
        case oversize(Int)
        /// We have ended it.
        case timeout, cancelled
    }

    private let descriptor: Int32
    private let loop: EventLoop
    private let maximumReply: Int
    /// Is told once for each call how it ended.
    var onEnding: ((Ending) -> Void)?
    /// Whether a reply has come over it before.
    private(set) var isReused = false

    private var request: [UInt8] = []
    private var header: [UInt8] = []
    private var sent = 0
    private var isBusy = false
    private var reply = ReplyFrame()
    private(set) var isOpen = true

    /// `nil` when nobody listens there (yet).
    init?(path: String, loop: EventLoop, maximumReply: Int) {
        guard let descriptor = Self.connect(path) else { return nil }
        self.descriptor = descriptor
        self.loop = loop
        self.maximumReply = maximumReply
        loop.watch(descriptor, for: .readable) { [weak self] readiness in self?.ready(readiness) }
    }

    private static func connect(_ path: String) -> Int32? {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let status = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        return descriptor
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
    }

    func send(_ request: [UInt8]) {
        self.request = request
        header = withUnsafeBytes(of: UInt32(request.count).bigEndian) { Array($0) }
        sent = 0
        isBusy = true
        reply = ReplyFrame()
        write()
    }

    private func ready(_ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable) { write() }
        if isOpen && !readiness.isDisjoint(with: [.readable, .closed]) { read() }
    }

    private func write() {
        let total = header.count + request.count
        while isBusy && sent < total {
            let count = header.withUnsafeMutableBytes { header in
                request.withUnsafeMutableBytes { request in
                    let parts = [
                        UnsafeMutableRawBufferPointer(rebasing: header[min(sent, header.count)...]),
                        UnsafeMutableRawBufferPointer(rebasing: request[max(0, sent - header.count)...]),
                    ]
                    let vectors = parts.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
                    return writev(descriptor, vectors, 2)
                }
            }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return loop.rewatch(descriptor, for: [.readable, .writable]) }
            if count < 0 {
                // What the peer said before it closed (an error reply to an oversize frame, say) is still to be read.
                sent = total
                return loop.rewatch(descriptor, for: .readable)
            }
            sent += count
        }
        request = []
        loop.rewatch(descriptor, for: .readable)
    }

    private func read() {
        while true {
            let count = reply.receive(from: descriptor)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return }
            guard count > 0, isBusy else { return end(.closed(afterBytes: reply.received)) }
            if let length = reply.length, length > maximumReply { return end(.oversize(length)) }
            if let body = reply.complete() { return end(.reply(body)) }
        }
    }

    /// Ends the call that is under way, and with it, but for a reply, the connection.
    func end(_ ending: Ending) {
        isBusy = false
        isReused = true
        if case .reply = ending {} else { close() }
        onEnding?(ending)
    }
}

/// A frame as it comes in: four bytes of length, big-endian, then the body.
private struct ReplyFrame {
    private var head: [UInt8] = []
    private var body: [UInt8] = []
    private var filled = 0
    private(set) var length: Int?

    var received: Int { head.count + filled }

    /// One `recv`; returns what it returned.
    mutating func receive(from descriptor: Int32) -> Int {
        if length != nil {
            let (offset, space) = (filled, body.count - filled)
            let count = body.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + offset }, space, 0) }
            filled += max(0, count)
            return count
        }
        // The length and, mostly, all of a small body in one call.
        return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { buffer in
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            return count
        }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) {
        let missing = min(4 - head.count, bytes.count)
        head.append(contentsOf: bytes[..<missing])
        guard head.count == 4 else { return }
        let length = head.reduce(0) { $0 << 8 | Int($1) }
        self.length = length
        let rest = bytes[missing...]
        filled = min(rest.count, length)
        // A length is only a claim: memory is taken when the limit was checked, see `complete`.
        body = Array(rest.prefix(filled))
    }

    /// The body, once it is whole; makes room for what is still to come.
    mutating func complete() -> [UInt8]? {
        guard let length else { return nil }
        if filled == length { return body }
        if body.count < length { body += [UInt8](repeating: 0, count: length - body.count) }
        return nil
    }
}
