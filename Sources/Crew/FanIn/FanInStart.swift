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
        let end = MonotonicTime.now.advanced(by: patience)
        var backoff = Backoff()
        while true {
            let found: Result<Bool, PostgreSQLError>
            do throws(PostgreSQLError) { found = .success(try await store.hasSchema()) } catch {
                found = .failure(error)
            }
            switch found {
            case .success(true):
                return
            case .success(false):
                throw StartError(
                    "TROUPE_DATABASE_URL: the database has no tables for fan-in, or those of another version: run: "
                        + "sqitch --chdir gateway-schema deploy --verify \"db:$TROUPE_DATABASE_URL\"")
            case .failure(let error) where !error.isUnavailable:
                throw StartError("TROUPE_DATABASE_URL: the database refused: \(error)")
            case .failure(let error):
                guard .now < end else {
                    throw StartError(
                        "TROUPE_DATABASE_URL: no database for \(patience.inWords): \(error)", exitCode: EX_UNAVAILABLE)
                }
                log.warning("waiting for the database", ["error": "\(error)"])
            }
            try await Task.sleep(for: backoff.next())
        }
    }
}
