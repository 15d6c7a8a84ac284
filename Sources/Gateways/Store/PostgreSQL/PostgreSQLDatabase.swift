internal import EventLoops
internal import Logging
internal import PostgreSQL
public import Settings
internal import Telemetry

extension GatewayDatabase {
    /// PostgreSQL, with the schema of `gateway-schema`. Any number of gateways may share it.
    public static func postgreSQL(url: String) -> GatewayDatabase {
        postgreSQL(PoolSettings(connection: ConnectionSettings(url: url, applicationName: "troupe-gateway")))
    }

    /// The same by `TROUPE_DATABASE_*`; mistakes go to `settings.problems`.
    public static func postgreSQL(_ settings: inout Settings) -> GatewayDatabase {
        postgreSQL(PoolSettings(&settings, applicationName: "troupe-gateway"))
    }

    /// Whether a gateway could start on it just now; mistakes go to `settings.problems`.
    /// - Throws: why not, with what to do.
    public static func checkPostgreSQL(_ settings: inout Settings) async throws(GatewayStartError) {
        let pool = PoolSettings(&settings, applicationName: "troupe-doctor")
        if !settings.problems.isEmpty { return }
        let loop = EventLoop(name: "doctor-db")
        defer { loop.stop() }
        let logger = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
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

struct PostgreSQLDatabase: DatabaseSource {
    var settings: PoolSettings

    var description: String { "PostgreSQL, \(settings.size) connections at most" }

    /// How long one that is only just starting is waited for.
    var patience = Duration.seconds(30)

    func open(on loop: EventLoop, _ metrics: GatewayMetrics, logger: Logger) async throws -> OpenDatabase {
        var settings = settings
        settings.onLend = { metrics.databaseWait.observe($0.inSeconds) }
        settings.onReturn = { metrics.databaseUse.observe($0.inSeconds) }
        let pool = Pool(settings, on: loop)
        do {
            try await checkSchema(pool, logger)
        } catch {
            await pool.close()
            throw error
        }
        return OpenDatabase(
            store: PostgreSQLEnvelopeStore(pool: pool), news: PostgreSQLUpdateNews(settings.connection, on: loop)
        ) { await pool.close() }
    }

    private func checkSchema(_ pool: Pool, _ logger: Logger) async throws {
        let finding: SchemaVersion.Finding
        do {
            finding = try await pool.untilAvailable(patience: patience) { error in
                logger.warning("waiting for the database", metadata: ["error": "\(error)"])
            } _: { (pool) throws(PostgreSQLError) in
                try await SchemaVersion.check(pool)
            }
        } catch let error as PostgreSQLError {
            if error.code == .unexpectedResult { throw GatewayStartError(.configuration, error.message) }
            guard error.isUnavailable else {
                throw GatewayStartError(.configuration, "TROUPE_DATABASE_URL: the database refused: \(error)")
            }
            throw GatewayStartError(
                .unavailable,
                "TROUPE_DATABASE_URL: no database\(patience > .zero ? " for \(patience.inWords)" : ""): \(error)")
        }
        if let advice = SchemaVersion.advice(for: finding) { throw GatewayStartError(.configuration, advice) }
    }
}
