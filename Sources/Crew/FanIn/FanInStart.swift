internal import ActorKit
internal import EventLoops
internal import Glibc
internal import PostgreSQL

/// What fan-in needs before it can say that it is ready.
enum FanInStart {
    /// Waits for a database that is only just starting.
    /// - Throws: `StartError` with the command that makes the tables, or with what the database said.
    static func waitForSchema(
        _ store: FanInStore, log: Log, patience: Duration = .seconds(30)
    ) async throws {
        let hasSchema: Bool
        do {
            hasSchema = try await store.pool.untilAvailable(patience: patience) { error in
                log.warning("waiting for the database", ["error": "\(error)"])
            } _: { (_) throws(PostgreSQLError) in
                try await store.hasSchema()
            }
        } catch let error as PostgreSQLError {
            guard error.isUnavailable else {
                throw StartError("TROUPE_DATABASE_URL: the database refused: \(error)")
            }
            throw StartError(
                "TROUPE_DATABASE_URL: no database for \(patience.inWords): \(error)", exitCode: EX_UNAVAILABLE)
        }
        guard hasSchema else {
            throw StartError(
                "TROUPE_DATABASE_URL: the database has no tables for fan-in, or those of another version: run: "
                    + "sqitch --chdir gateway-schema deploy --verify \"db:$TROUPE_DATABASE_URL\"")
        }
    }
}
