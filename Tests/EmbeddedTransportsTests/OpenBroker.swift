import EventLoops
import Foundation
import Logging
import SQLite
import TestSupport
import TransportConformance
import Transports

@testable import EmbeddedTransports

/// A broker in a file of its own.
final class OpenBroker: Sendable {
    let folder: TemporaryFolder
    let file: SQLiteFile
    let broker: EmbeddedBroker
    let deliveryLimit: Int

    /// - Parameter folder: of a broker that was closed, to go on with its file.
    init(in folder: TemporaryFolder = TemporaryFolder(), deliveryLimit: Int = 20) async throws {
        self.folder = folder
        self.deliveryLimit = deliveryLimit
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        file = try SQLiteFile(path: Self.path(in: folder))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        broker = try await EmbeddedBroker.open(
            file, deliveryLimit: deliveryLimit, on: EventLoop(name: "broker"), logger: logger)
    }

    static func path(in folder: TemporaryFolder) -> String { folder.path + "/troupe.db" }

    var suite: TransportConformance<EmbeddedTransport> {
        TransportConformance(
            observer: EmbeddedQueues(broker), deadLetters: EmbeddedDeadLetters(broker), deliveryLimit: deliveryLimit
        ) { [self] in client() }
    }

    func client() -> EmbeddedTransport { EmbeddedTransport(broker) }

    func ready(_ actor: String) async throws -> Int? {
        try await EmbeddedQueues(broker).look(at: [.actor(actor)])[.actor(actor)]?.ready
    }

    func close() async {
        await broker.close()
        await file.close()
    }
}

extension Message {
    init(_ text: String, to actor: String) {
        self.init(to: .actor(actor), id: text, body: Array(text.utf8))
    }
}
