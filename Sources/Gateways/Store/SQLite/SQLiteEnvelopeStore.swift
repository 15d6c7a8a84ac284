internal import Envelopes
internal import GRDB
internal import SQLite

/// The store in a file. Writes take turns, so each reads what is there, lets the rules decide, and writes: nobody gets in between. Calls
/// that wait at the same time share one commit.
struct SQLiteEnvelopeStore: EnvelopeStore {
    let file: SQLiteFile
    let news: LocalUpdateNews

    /// - Parameter body: sees one state.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        do throws(SQLiteError) { return try await file.read(body) } catch { throw StoreError(error) }
    }

    /// All that `body` has written is there when this returns, or nothing of it.
    @discardableResult
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout StoreWriter) throws -> Value
    ) async throws(StoreError) -> Value {
        do throws(SQLiteError) {
            let (value, moved) = try await file.write { database in
                var writer = StoreWriter(database, now: Timestamp.microsecondsNow())
                let value = try body(&writer)
                return (value, writer.moved)
            }
            news.tell(moved)
            return value
        } catch {
            throw StoreError(error)
        }
    }

    /// One statement.
    func execute(_ sql: String, _ values: [DatabaseValue] = []) async throws(StoreError) {
        try await write { writer in try writer.database.run(sql, values) }
    }

    // MARK: Health

    func ping() async throws(StoreError) { try await read { _ in } }

    func connections() async -> [String: Int] { [:] }
}

extension StoreError {
    fileprivate init(_ error: SQLiteError) {
        let code: Code =
            switch error.code {
            case .diskFull, .inputOutput, .notPermitted: .unavailable
            case .constraint: .refusedValues
            case .closed: .closed
            case .inUse, .notADatabase, .newer, .unexpected: .unexpected
            }
        self.init(code, "\(error)")
    }
}
