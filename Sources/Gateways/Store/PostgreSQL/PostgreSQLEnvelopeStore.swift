internal import PostgreSQL

/// The store in PostgreSQL. Each call is one statement, and so one transaction; calls that write the same kind of thing at the same time
/// share theirs.
struct PostgreSQLEnvelopeStore: EnvelopeStore {
    let pool: Pool
    let submissions = SharedStatement<Submission, SubmissionOutcome>()
    let changes = SharedStatement<EnvelopeChange, ChangeOutcome>()

    init(pool: Pool) { self.pool = pool }

    /// Runs a statement, again when another transaction got in its way (deadlock, serialization): it has changed nothing then.
    func query<Value>(
        _ sql: String, _ parameters: [Parameter] = [], _ read: (Row) throws -> Value
    ) async throws(StoreError) -> [Value] {
        do {
            return try await rows(sql, parameters).map(read)
        } catch {
            throw StoreError(error)
        }
    }

    /// The same for a statement that always gives one row.
    func one<Value>(
        _ sql: String, _ parameters: [Parameter] = [], _ read: (Row) throws -> Value
    ) async throws(StoreError) -> Value {
        guard let value = try await query(sql, parameters, read).first else {
            throw StoreError(.unexpected, "a statement gave no row")
        }
        return value
    }

    /// The same for a statement that gives no rows, or none that matter.
    func execute(_ sql: String, _ parameters: [Parameter] = []) async throws(StoreError) {
        do throws(PostgreSQLError) { _ = try await rows(sql, parameters) } catch { throw StoreError(error) }
    }

    private func rows(_ sql: String, _ parameters: [Parameter]) async throws(PostgreSQLError) -> Rows {
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

    // MARK: Health

    func ping() async throws(StoreError) {
        do throws(PostgreSQLError) { try await pool.query("SELECT 1", timeout: .seconds(2)) } catch {
            throw StoreError(error)
        }
    }

    func connections() async -> [String: Int] {
        let statistics = await pool.statistics
        return ["idle": statistics.idle, "lent": statistics.lent, "waiting": statistics.waiting]
    }
}

extension Row: StoredRow {}

extension StoreError {
    init(_ error: any Error) {
        if let error = error as? PostgreSQLError {
            self.init(Code(error), "\(error)")
        } else {
            self.init(.unexpected, "\(error)")
        }
    }
}

extension StoreError.Code {
    fileprivate init(_ error: PostgreSQLError) {
        self =
            if error.isUnavailable {
                .unavailable
            } else if error.isRetryable {
                .conflict
            } else if error.sqlState == .uniqueViolation {
                .alreadyThere
            } else if error.isAboutValues {
                .refusedValues
            } else if error.code == .closed {
                .closed
            } else if error.code == .cancelled {
                .cancelled
            } else {
                .unexpected
            }
    }
}
