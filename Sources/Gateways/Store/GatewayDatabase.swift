internal import EventLoops
internal import Logging
internal import PostgreSQL
public import SQLite
public import Settings

/// Where a gateway keeps its envelopes. It opens the store when it starts, and leaves it when it has stopped.
public struct GatewayDatabase: Sendable {
    let source: any DatabaseSource

    /// PostgreSQL, with the schema of `gateway-schema`. Any number of gateways may share it.
    public static func postgreSQL(url: String) -> GatewayDatabase {
        postgreSQL(PoolSettings(connection: ConnectionSettings(url: url, applicationName: "troupe-gateway")))
    }

    /// The same by `TROUPE_DATABASE_*`; mistakes go to `settings.problems`.
    public static func postgreSQL(_ settings: inout Settings) -> GatewayDatabase {
        postgreSQL(PoolSettings(&settings, applicationName: "troupe-gateway"))
    }

    /// A file, which stays open when the gateway has stopped. Gateways that share it must be of one process, and given the same value: what
    /// one writes, the others hear of.
    public static func sqlite(_ file: SQLiteFile) -> GatewayDatabase {
        GatewayDatabase(source: SQLiteDatabase(file: file))
    }

    /// Whether a gateway could start on the PostgreSQL of `TROUPE_DATABASE_*` just now; mistakes go to `settings.problems`.
    /// - Throws: why not, with what to do.
    public static func checkPostgreSQL(_ settings: inout Settings) async throws(GatewayStartError) {
        let pool = PoolSettings(&settings, applicationName: "troupe-doctor")
        if !settings.problems.isEmpty { return }
        let loop = EventLoop(name: "doctor-db")
        defer { loop.stop() }
        var logger = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        do {
            let database = try await PostgreSQLDatabase(settings: pool, patience: .zero)
                .open(on: loop, GatewayMetrics(), logger: logger)
            await database.close()
        } catch let error as GatewayStartError { throw error } catch {
            throw GatewayStartError(.unavailable, "\(error)")
        }
    }

    static func postgreSQL(_ settings: PoolSettings) -> GatewayDatabase {
        GatewayDatabase(source: PostgreSQLDatabase(settings: settings))
    }
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
