internal import CPostgreSQL

/// Asks the server to cancel what a connection is doing. libpq makes another connection for it and blocks meanwhile.
// @unchecked: libpq promises that a PGcancel may be used from any thread (manual, "Canceling Queries in Progress").
final class CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(_ connection: OpaquePointer) {
        guard let pointer = PQgetCancel(connection) else { return nil }
        self.pointer = pointer
    }

    deinit { PQfreeCancel(pointer) }

    /// Whether it got through doesn't matter here: a statement that goes on after it costs the connection.
    func send() {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            _ = PQcancel(pointer, buffer.baseAddress, Int32(buffer.count))
        }
    }
}
