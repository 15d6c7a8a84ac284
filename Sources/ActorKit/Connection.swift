internal import Envelopes
internal import EventLoops
internal import Glibc

/// One connection of a sidecar: a request, its reply, the next request. The server owns it.
final class Connection {
    enum Phase {
        /// Waiting for a request, or in the middle of one.
        case reading
        /// A request is complete and waits for its turn.
        case waiting([UInt8])
        /// The handler is at it, and may emit.
        case running(Task<Void, Never>, Emitter?)
        case writing(Output)
        /// What follows a bad frame is thrown away: closed before that, the peer would see an error instead of its
        /// reply.
        case draining
    }

    struct Output {
        var parts: [[UInt8]] = []
        var offset = 0
        var thenDrains = false
    }

    let number: UInt64
    let descriptor: Int32
    var phase = Phase.reading
    var reader: FrameReader
    /// Events of the call that runs, as far as the peer has not taken them.
    var events = Output()
    /// Runs while the peer is expected to send or take something.
    var stallTimer: EventLoop.Timer?

    init(number: UInt64, descriptor: Int32, maximumBytes: Int) {
        self.number = number
        self.descriptor = descriptor
        reader = FrameReader(maximumBytes: maximumBytes)
    }

    /// Whether the peer takes events.
    var takesEvents: Bool {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        guard status == 0 else { return false }
        let known = max(0, Int(length) - MemoryLayout<sa_family_t>.size)
        return withUnsafeBytes(of: &address.sun_path) {
            $0.prefix(known).starts(with: [0] + EmittedEvent.peerNamePrefix.utf8)
        }
    }

    enum Received { case bytes, nothing, end }

    /// Reads once.
    func receive(into buffer: inout [UInt8]) -> Received {
        let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
        guard count != 0 else { return .end }
        guard count > 0 else { return errno == EAGAIN || errno == EINTR ? .nothing : .end }
        if case .draining = phase { return .bytes }
        buffer.withUnsafeBytes { reader.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        return .bytes
    }

    /// Whether the peer has closed the connection, for sending and receiving.
    var hasHungUp: Bool {
        var query = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&query, 1, 0) == 1 && query.revents & Int16(POLLHUP | POLLERR) != 0
    }

    enum Sent { case everything, some, failed }

    /// Sends as much as the peer takes now.
    func send(_ output: inout Output) -> Sent {
        while let part = output.parts.first {
            // MSG_MORE: length and body travel as one.
            let flags = Int32(MSG_NOSIGNAL) | (output.parts.count > 1 ? Int32(MSG_MORE) : 0)
            let count = part.withUnsafeBytes { bytes in
                Glibc.send(descriptor, bytes.baseAddress.map { $0 + output.offset }, bytes.count - output.offset, flags)
            }
            guard count >= 0 else { return errno == EAGAIN || errno == EINTR ? .some : .failed }
            output.offset += count
            guard output.offset == part.count else { continue }
            output.parts.removeFirst()
            output.offset = 0
        }
        return .everything
    }
}
