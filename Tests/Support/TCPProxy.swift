import Foundation
import Synchronization

/// Stands before the server, and can be away: refuses connections and cuts those there are.
public final class TCPProxy: Sendable {
    public let url: String
    private let port: UInt16
    private let target: (host: String, port: UInt16)
    private let state = Mutex(State())

    private struct State {
        var listener: Int32 = -1
        var sockets: Set<Int32> = []
    }

    public init(to url: String) throws {
        guard var components = URLComponents(string: url), let host = components.host else {
            throw CocoaError(.coderInvalidValue)
        }
        target = (host == "localhost" ? "127.0.0.1" : host, UInt16(components.port ?? 5432))
        let (listener, port) = try Self.listen(on: 0)
        self.port = port
        components.host = "127.0.0.1"
        components.port = Int(port)
        self.url = components.string ?? url
        accept(on: listener)
    }

    public func start() throws { accept(on: try Self.listen(on: port).0) }

    public func stop() {
        state.withLock { state in
            shutdown(state.listener, Int32(SHUT_RDWR))
            close(state.listener)
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            state = State()
        }
    }

    private static func listen(on port: UInt16) throws -> (Int32, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        var address = Self.address("127.0.0.1", port)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRINUSE) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private static func address(_ host: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return address
    }

    private func accept(on listener: Int32) {
        state.withLock { $0.listener = listener }
        Thread.detachNewThread {
            while true {
                let client = Glibc.accept(listener, nil, nil)
                guard client >= 0 else { return }
                let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                var address = Self.address(self.target.host, self.target.port)
                _ = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                self.state.withLock { $0.sockets.formUnion([client, server]) }
                Thread.detachNewThread { Self.copy(from: client, to: server) }
                Thread.detachNewThread { Self.copy(from: server, to: client) }
            }
        }
    }

    private static func copy(from source: Int32, to destination: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0, send(destination, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        shutdown(destination, Int32(SHUT_RDWR))
    }
}
