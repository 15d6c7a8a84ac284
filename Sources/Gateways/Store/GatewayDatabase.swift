internal import EventLoops
internal import Logging

/// Where a gateway keeps its envelopes. It opens the store when it starts, and leaves it when it has stopped.
public struct GatewayDatabase: Sendable {
    let source: any DatabaseSource
}

protocol DatabaseSource: Sendable, CustomStringConvertible {
    /// - Parameter loop: for connections, as long as the store is open.
    /// - Throws: `GatewayStartError`, `CancellationError`.
    func open(on loop: EventLoop, _ metrics: GatewayMetrics, logger: Logger) async throws -> OpenDatabase
}

struct OpenDatabase: Sendable {
    var store: any EnvelopeStore
    var news: any UpdateNews
    /// Called once, when nobody uses the store any more.
    var close: @Sendable () async -> Void
}
