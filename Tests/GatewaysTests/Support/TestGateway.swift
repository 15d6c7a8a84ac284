import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing
import Transports

@testable import Gateways

/// A gateway on a real port.
struct TestGateway {
    let transport: RecordingTransport
    let queues: RecordingQueues
    var client: TestClient
    /// To the port of sidecars.
    let inside: TestClient
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    static func start(
        _ database: GatewayDatabase, transport: RecordingTransport = RecordingTransport(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        configure: (inout Configuration) -> Void = { _ in }
    ) async throws -> TestGateway {
        var configuration = Configuration()
        configuration.port = 0
        configuration.outboxInterval = .milliseconds(50)
        configure(&configuration)
        let queues = RecordingQueues()
        let (ports, port) = AsyncStream<GatewayPorts>.makeStream()
        let gateway = Gateway(
            configuration: configuration, database: database, transport: transport, deadLetters: NoDeadLetters(),
            queues: queues, logger: logger
        ) { port.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [gateway], logger: logger))
        let task = Task {
            defer { port.finish() }
            try await group.run()
        }
        for await ports in ports {
            return TestGateway(
                transport: transport, queues: queues, client: TestClient(port: ports.main),
                inside: TestClient(port: ports.inside ?? ports.main), group: group, task: task)
        }
        try await task.value
        throw CancellationError()
    }

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }
}

/// A gateway on a store of its own.
func withGateway(
    _ kind: StoreKind, logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    configure: (inout Configuration) -> Void = { _ in }, _ body: (TestGateway, any TestStore) async throws -> Void
) async throws {
    try await withStore(kind) { store in
        try await withGateway(on: store.gateway, logger: logger, configure: configure) { try await body($0, store) }
    }
}

/// A gateway on a database of its own.
func withGateway(
    logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    configure: (inout Configuration) -> Void = { _ in }, _ body: (TestGateway, TestDatabase) async throws -> Void
) async throws {
    try await withDatabase { database in
        try await withGateway(on: database.gateway, logger: logger, configure: configure) {
            try await body($0, database)
        }
    }
}

private func withGateway(
    on database: GatewayDatabase, logger: Logger, configure: (inout Configuration) -> Void,
    _ body: (TestGateway) async throws -> Void
) async throws {
    let gateway = try await TestGateway.start(database, logger: logger, configure: configure)
    do {
        try await body(gateway)
    } catch {
        try? await gateway.stop()
        throw error
    }
    try await gateway.stop()
}

struct NoDeadLetters: DeadLetterQueues {
    func openDeadLetters(of actor: String) async throws(TransportError) -> (any DeadLetterReader)? { nil }
}
