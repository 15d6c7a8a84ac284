internal import PostgreSQL

/// The envelopes' state in PostgreSQL. Each call is one statement, and so one transaction.
struct EnvelopeStore: Sendable {
    let pool: Pool

    /// Runs a statement again when another transaction got in its way (deadlock, serialization): it has changed nothing then.
    func query(_ sql: String, _ parameters: [Parameter]) async throws(PostgreSQLError) -> Rows {
        var conflicts = 0
        while true {
            do throws(PostgreSQLError) {
                return try await pool.query(sql, parameters)
            } catch {
                guard error.sqlState == .deadlockDetected || error.sqlState == .serializationFailure, conflicts < 5
                else { throw error }
                conflicts += 1
            }
        }
    }
}

extension String {
    /// PostgreSQL's text knows no NUL; JSON strings (`\u0000`) do.
    var withoutNUL: String { utf8.contains(0) ? String(map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self }
}
