internal import CEpoll
internal import Envelopes
internal import EventLoops
internal import Glibc

/// One connection to the runtime's socket: a request out, its reply in, one pair at a time, and events before the reply.
/// Lives on the loop's thread.
final class RuntimeConnection {
    /// What ended a call.
    enum Ending: Sendable {
        case reply([UInt8])
        /// The peer closed, or could not be written to, before a whole reply was here.
        case closed(afterBytes: Int, hasEmitted: Bool = false)
        case oversize(Int)
        /// We have ended it.
        case timeout, cancelled
    }

    private let descriptor: Int32
    private let loop: EventLoop
    private let limits: JSONLimits
    /// Gets what stands in the member `event` of each event's frame.
    var onEvent: ((RawJSON) -> Void)?
    /// Is told once for each call how it ended.
    var onEnding: ((Ending) -> Void)?
    /// Whether a reply has come over it before.
    private(set) var isReused = false

    private var request: [UInt8] = []
    /// The request's length, as it goes over the wire.
    private var header: UInt32 = 0
    private var sent = 0
    private var isBusy = false
    private var isWaitingForRoom = false
    /// Whether events have come during the call.
    private var hasEmitted = false
    private var frames = RuntimeFrames()
    private(set) var isOpen = true

    /// `nil` when nobody listens there (yet).
    /// - Parameters:
    ///   - limits: of a reply.
    ///   - takesEvents: whether the runtime is told that it may send events.
    init?(path: String, loop: EventLoop, limits: JSONLimits, takesEvents: Bool) {
        guard let descriptor = Self.connect(path, takesEvents: takesEvents) else { return nil }
        self.descriptor = descriptor
        self.loop = loop
        self.limits = limits
        loop.watch(descriptor, for: .readable) { [weak self] readiness in self?.ready(readiness) }
    }

    private static func connect(_ path: String, takesEvents: Bool) -> Int32? {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        if takesEvents {
            // Abstract: without a file. Should the name be taken, this connection goes without events.
            let name = EmittedEvent.peerNamePrefix + UInt64.random(in: 0 ... .max).hexadecimal
            _ = withAddress([0] + name.utf8) { bind(descriptor, $0, socklen_t($1 + 1 + name.utf8.count)) }
        }
        let status = withAddress(Array(path.utf8)) { address, _ in
            Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        guard status == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        return descriptor
    }

    /// - Parameter body: gets the address, and how many bytes stand before its path.
    private static func withAddress(_ path: [UInt8], _ body: (UnsafePointer<sockaddr>, Int) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, MemoryLayout<sa_family_t>.size)
            }
        }
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
        header = UInt32(request.count).bigEndian
        sent = 0
        isBusy = true
        hasEmitted = false
        frames = RuntimeFrames()
        write()
    }

    private func ready(_ readiness: EventLoop.Readiness) {
        if readiness.contains(.writable) { write() }
        if isOpen && !readiness.isDisjoint(with: [.readable, .closed]) { read() }
    }

    private func write() {
        let total = 4 + request.count
        while isBusy && sent < total {
            let count = writeRest()
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return wait(forRoom: true) }
            // What the peer said before it closed (an error reply to an oversize frame, say) is still to be read.
            sent = count < 0 ? total : sent + count
        }
        request = []
        wait(forRoom: false)
    }

    private func writeRest() -> Int {
        withUnsafeBytes(of: header) { header in
            request.withUnsafeBytes { request in
                func part(_ bytes: UnsafeRawBufferPointer, from start: Int) -> iovec {
                    iovec(
                        iov_base: bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + start) },
                        iov_len: bytes.count - start)
                }
                let parts: [2 of iovec] = [part(header, from: min(sent, 4)), part(request, from: max(0, sent - 4))]
                return parts.span.withUnsafeBufferPointer { writev(descriptor, $0.baseAddress, 2) }
            }
        }
    }

    private func wait(forRoom: Bool) {
        guard forRoom != isWaitingForRoom else { return }
        isWaitingForRoom = forRoom
        loop.rewatch(descriptor, for: forRoom ? [.readable, .writable] : .readable)
    }

    private func read() {
        // So many in a row, then it is the others' turn: a handler may emit without end.
        for _ in 0..<8 {
            let count = frames.receive(from: descriptor)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN { return }
            guard count > 0, isBusy else {
                return end(.closed(afterBytes: frames.received, hasEmitted: hasEmitted))
            }
            while isBusy {
                if let length = frames.length, length > limits.size { return end(.oversize(length)) }
                guard let frame = frames.next() else { break }
                guard let event = EmittedEvent.inFrame(frame, limits: limits) else { return end(.reply(frame)) }
                hasEmitted = true
                onEvent?(event)
            }
            guard isBusy else { return }
        }
    }

    /// Ends the call that is under way, and with it, but for a reply, the connection.
    func end(_ ending: Ending) {
        isBusy = false
        isReused = true
        // What stands behind a reply belongs to no call: nothing more is taken from such a connection.
        if case .reply = ending, frames.isEmpty {} else { close() }
        onEvent = nil
        onEnding?(ending)
    }
}
