internal import EventLoops
internal import Logging
public import SQLite

extension GatewayDatabase {
    /// A file, which stays open when the gateway has stopped. Gateways that share it must be of one process, and given the same value: what
    /// one writes, the others hear of.
    public static func sqlite(_ file: SQLiteFile) -> GatewayDatabase {
        GatewayDatabase(source: SQLiteDatabase(file: file))
    }
}

struct SQLiteDatabase: DatabaseSource {
    let file: SQLiteFile
    private let news = LocalUpdateNews()
    var store: SQLiteEnvelopeStore { SQLiteEnvelopeStore(file: file, news: news) }

    init(file: SQLiteFile) { self.file = file }

    var description: String { "SQLite" }

    func open(on loop: EventLoop, _ metrics: GatewayMetrics, logger: Logger) async throws -> OpenDatabase {
        do throws(SQLiteError) {
            try await BlockingThread.run { [file] () throws(SQLiteError) in
                try file.migrate("store", StoreTables.steps)
            }
        } catch {
            throw GatewayStartError(error.isUnavailable ? .unavailable : .configuration, "the store: \(error.message)")
        }
        return OpenDatabase(store: store, news: news) {}
    }
}
