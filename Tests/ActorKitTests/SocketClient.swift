import ActorKit
import EventLoops
import Foundation

/// A sidecar's end of the socket.
final class SocketClient: Sendable {
    private let descriptor: Int32

    struct Failed: Error { let number = errno }

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw Failed() }
    }

    func send(_ body: [UInt8]) throws {
        try write(withUnsafeBytes(of: UInt32(body.count).bigEndian, Array.init) + body)
    }

    func write(_ bytes: [UInt8]) throws {
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw Failed() }
    }

    func closeForSending() { shutdown(descriptor, Int32(SHUT_WR)) }
    func close() { Glibc.close(descriptor) }

    /// The first element of the reply; `nil` when the connection was closed.
    func receive() async throws -> RawJSON? {
        let descriptor = descriptor
        let body: [UInt8]? = await BlockingThread.run {
            var length = [UInt8](repeating: 0, count: 4)
            guard recv(descriptor, &length, 4, Int32(MSG_WAITALL)) == 4 else { return nil }
            var body = [UInt8](repeating: 0, count: length.reduce(0) { $0 << 8 | Int($1) })
            guard recv(descriptor, &body, body.count, Int32(MSG_WAITALL)) == body.count else { return nil }
            return body
        }
        return try body.map { try RawJSON($0) }?.elements.first
    }
}
