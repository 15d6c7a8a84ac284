internal import Glibc
public import GRDB
internal import Synchronization

/// A database in one file, for one process. What has been written is on the disk, also when the machine loses its power
/// in the next moment.
///
/// Many may read at once, each a snapshot. Writes take turns; those that wait at the same time share one transaction,
/// and so one wait for the disk.
public final class SQLiteFile: Sendable {
    public let path: String
    private let pool: DatabasePool
    private let lock: FileLock
    private let queue = Mutex(Queue())

    private struct Queue {
        var waiting: [any Write] = []
        var isWriting = false
        var isClosed = false
    }

    /// Opens a file, or makes it; only its owner can read it.
    /// - Throws: `.inUse`, `.notADatabase`, `.notPermitted`, `.diskFull`, `.inputOutput`.
    public init(path: String) throws(SQLiteError) {
        self.path = path
        lock = try FileLock(besides: path)
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SQLiteError(.notPermitted, "'\(path)' cannot be written: \(String(cString: strerror(errno)))")
        }
        // Nobody has locks on it yet: those of this process would go with it.
        Glibc.close(descriptor)
        var configuration = Configuration()
        configuration.label = "sqlite"
        configuration.prepareDatabase { database in
            // What is committed is on the disk: WAL's default only promises it to survive the process.
            try database.execute(
                sql: "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY")
        }
        do { pool = try DatabasePool(path: path, configuration: configuration) } catch {
            throw SQLiteError(error, at: path)
        }
    }

    /// Carries out the steps that this file has not seen yet, each in a transaction of its own.
    /// - Parameters:
    ///   - part: whose tables they are; parts know nothing of each other.
    ///   - steps: in the order in which they were invented. Those that have been released never change.
    /// - Throws: `.newer` when the file has seen more steps than there are, and what `init` throws.
    public func migrate(
        _ part: String, _ steps: [@Sendable (Database) throws -> Void]
    ) throws(SQLiteError) {
        var migrator = DatabaseMigrator()
        for (index, step) in steps.enumerated() {
            migrator.registerMigration("\(part)-\(index + 1)", migrate: step)
        }
        do {
            let seen = try pool.read { try migrator.appliedIdentifiers($0) }
            if let newer = seen.first(where: { $0.hasPrefix("\(part)-") && !migrator.migrations.contains($0) }) {
                throw SQLiteError(
                    .newer, "'\(path)' was written by a newer program (\(newer)): use that one, or move the file away")
            }
            try migrator.migrate(pool)
        } catch {
            throw SQLiteError(error, at: path)
        }
    }

    // MARK: Use

    /// What `body` sees is one state: that of a moment after all writes that had returned before.
    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(SQLiteError) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, SQLiteError>, Never>) in
            pool.asyncRead { [path] database in
                continuation.resume(
                    returning: Result { try body(database.get()) }.mapError { SQLiteError($0, at: path) })
            }
        }.get()
    }

    /// Returns when what `body` has written is on the disk. An error in it undoes what it has done, and nothing else.
    /// Cancelling the task does not interrupt it.
    ///
    /// Bodies run one after the other, in the order of the calls.
    /// - Throws: `.closed`, `.diskFull`, `.inputOutput`: nothing was written.
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(SQLiteError) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, SQLiteError>, Never>) in
            enqueue(OneWrite(body) { continuation.resume(returning: $0) })
        }.get()
    }

    /// Writes what has been asked for, and leaves the file to others; later calls throw.
    public func close() async {
        let isFirst = queue.withLock { queue in
            defer { queue.isClosed = true }
            return !queue.isClosed
        }
        guard isFirst else { return }
        // Behind all that was asked for: the writer is one queue.
        await withCheckedContinuation { continuation in
            pool.asyncWriteWithoutTransaction { _ in continuation.resume() }
        }
        try? pool.close()
        lock.release()
    }

    // MARK: Group commit

    private func enqueue(_ write: any Write) {
        let (isClosed, mustStart) = queue.withLock { queue in
            if queue.isClosed { return (true, false) }
            queue.waiting.append(write)
            defer { queue.isWriting = true }
            return (false, !queue.isWriting)
        }
        if isClosed { return write.end(SQLiteError(.closed, "'\(path)' was closed")) }
        guard mustStart else { return }
        pool.asyncWriteWithoutTransaction { database in
            while let writes = self.nextWrites() { self.carryOut(writes, in: database) }
        }
    }

    private func nextWrites() -> [any Write]? {
        queue.withLock { queue in
            guard !queue.waiting.isEmpty else {
                queue.isWriting = false
                return nil
            }
            defer { queue.waiting = [] }
            return queue.waiting
        }
    }

    private func carryOut(_ writes: [any Write], in database: Database) {
        var failure: SQLiteError?
        do {
            try database.inTransaction(.immediate) {
                for write in writes {
                    do {
                        try database.inSavepoint {
                            try write.run(database)
                            return .commit
                        }
                    } catch {
                        // On a full or broken disk SQLite gives up the whole transaction.
                        guard database.isInsideTransaction else { throw error }
                        write.fail(SQLiteError(error, at: path))
                    }
                }
                return .commit
            }
        } catch {
            failure = SQLiteError(error, at: path)
        }
        for write in writes { write.end(failure) }
    }
}

/// One caller's part of a transaction. Only the writer's queue touches it.
private protocol Write: AnyObject, Sendable {
    func run(_ database: Database) throws
    /// Its part was undone.
    func fail(_ error: SQLiteError)
    /// - Parameter failure: why nothing of the transaction was written.
    func end(_ failure: SQLiteError?)
}

// @unchecked: handed to the writer's queue, and touched by nobody else from then on.
private final class OneWrite<Value: Sendable>: Write, @unchecked Sendable {
    private let body: @Sendable (Database) throws -> Value
    private let onEnd: @Sendable (Result<Value, SQLiteError>) -> Void
    private var result: Result<Value, SQLiteError>?

    init(
        _ body: @escaping @Sendable (Database) throws -> Value,
        onEnd: @escaping @Sendable (Result<Value, SQLiteError>) -> Void
    ) {
        self.body = body
        self.onEnd = onEnd
    }

    func run(_ database: Database) throws { result = .success(try body(database)) }

    func fail(_ error: SQLiteError) { result = .failure(error) }

    func end(_ failure: SQLiteError?) {
        let result = failure.map { .failure($0) } ?? result
        onEnd(result ?? .failure(SQLiteError(.unexpected, "a write was never carried out")))
    }
}
