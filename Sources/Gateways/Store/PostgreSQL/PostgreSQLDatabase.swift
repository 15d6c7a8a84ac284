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

    static func postgreSQL(_ settings: PoolSettings) -> GatewayDatabase {
        GatewayDatabase(source: PostgreSQLDatabase(settings: settings))
    }
}

struct PostgreSQLDatabase: DatabaseSource {
    var settings: PoolSettings

    var description: String { "PostgreSQL, \(settings.size) connections at most" }

    private static let patience = Duration.seconds(30)

    func open(on loop: EventLoop, _ metrics: GatewayMetrics, logger: Logger) async throws -> OpenDatabase {
        var settings = settings
        settings.onLend = { metrics.databaseWait.observe($0.inSeconds) }
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
            finding = try await pool.untilAvailable(patience: Self.patience) { error in
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
                .unavailable, "TROUPE_DATABASE_URL: no database for \(Self.patience.inWords): \(error)")
        }
        if let advice = SchemaVersion.advice(for: finding) { throw GatewayStartError(.configuration, advice) }
    }
}
