import Foundation
import GRDB
import SQLite
import Synchronization
import TestSupport
import Testing

@Suite struct SQLiteFileTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/troupe.db" }

    init() throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    }

    private func opened() throws -> SQLiteFile {
        let file = try SQLiteFile(path: path)
        try file.migrate("test", [{ try $0.execute(sql: "CREATE TABLE t (n INTEGER NOT NULL UNIQUE) STRICT") }])
        return file
    }

    private func numbers(_ file: SQLiteFile) async throws -> [Int] {
        try await file.read { try Int.fetchAll($0, sql: "SELECT n FROM t ORDER BY n") }
    }

    @Test func whatWasWrittenIsThereAfterwards() async throws {
        let file = try opened()
        let count = try await file.write { database in
            try database.execute(sql: "INSERT INTO t VALUES (1), (2)")
            return database.changesCount
        }
        #expect(count == 2)
        await file.close()
        #expect(try await numbers(opened()) == [1, 2])
    }

    @Test func onlyItsOwnerCanReadIt() throws {
        _ = try opened()
        for name in ["troupe.db", "troupe.db.lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
    }

    @Test func aFailureUndoesOnlyItsOwnPart() async throws {
        let file = try opened()
        // The first holds the writer, so that all others share the next transaction.
        let gate = DispatchSemaphore(value: 0)
        let errors = Shared(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await file.write { _ in gate.wait() } }
            for number in 0..<100 {
                group.addTask {
                    do {
                        try await file.write { database in
                            try database.execute(sql: "INSERT INTO t VALUES (?)", arguments: [number])
                            // Every third one's second row is there already.
                            if number % 3 == 0 {
                                try database.execute(sql: "INSERT INTO t VALUES (?)", arguments: [number])
                            }
                        }
                    } catch let error as SQLiteError {
                        #expect(error.code == .constraint)
                        errors.change { $0 += 1 }
                    }
                }
            }
            try await Task.sleep(for: .milliseconds(200))
            gate.signal()
            try await group.waitForAll()
        }
        #expect(errors.value == 34)
        #expect(try await numbers(file) == (0..<100).filter { $0 % 3 != 0 })
    }

    @Test func whoeverWaitsAtTheSameTimeSharesATransaction() async throws {
        let file = try opened()
        let commits = CommitCounter()
        try await file.write { $0.add(transactionObserver: commits, extent: .databaseLifetime) }
        let gate = DispatchSemaphore(value: 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await file.write { _ in gate.wait() } }
            for number in 0..<1000 {
                group.addTask {
                    try await file.write { try $0.execute(sql: "INSERT INTO t VALUES (?)", arguments: [number]) }
                }
            }
            try await Task.sleep(for: .milliseconds(300))
            gate.signal()
            try await group.waitForAll()
        }
        #expect(try await numbers(file).count == 1000)
        #expect(commits.count < 20)
    }

    @Test func writesRunInTheOrderOfTheCalls() async throws {
        let file = try opened()
        let order = Shared<[Int]>([])
        let calls = (0..<200).map { number in
            // The call itself is made at once, in this order; only its end is waited for.
            let (ended, end) = AsyncStream<Void>.makeStream()
            Task.immediate {
                try? await file.write { _ in order.change { $0.append(number) } }
                end.finish()
            }
            return ended
        }
        for ended in calls { for await _ in ended {} }
        #expect(order.value == Array(0..<200))
    }

    @Test func aSecondProcessIsToldWhoHasIt() throws {
        let file = try opened()
        let error = #expect(throws: SQLiteError.self) { try SQLiteFile(path: path) }
        #expect(error?.code == .inUse)
        #expect(error?.message.contains("pid \(getpid())") == true)
        withExtendedLifetime(file) {}
    }

    @Test func whatIsNoDatabaseIsLeftAlone() throws {
        let text = String(repeating: "this is a letter, not a database\n", count: 100)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let error = #expect(throws: SQLiteError.self) { try opened() }
        #expect(error?.code == .notADatabase)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }

    @Test func aFolderThatIsNotThereIsNamed() {
        let error = #expect(throws: SQLiteError.self) { try SQLiteFile(path: "\(folder.path)/nowhere/troupe.db") }
        #expect(error?.code == .notPermitted)
        #expect(error?.message.contains("nowhere") == true)
    }

    @Test func aNewerFileIsNotTouched() async throws {
        let file = try opened()
        try file.migrate("other", [{ try $0.execute(sql: "CREATE TABLE o (n INTEGER)") }, { _ in }])
        // Parts know nothing of each other.
        try file.migrate("test", [{ _ in Issue.record("carried out twice") }])
        let error = #expect(throws: SQLiteError.self) { try file.migrate("other", [{ _ in }]) }
        #expect(error?.code == .newer)
    }

    @Test func aFullDiskIsSaidAndPasses() async throws {
        let file = try opened()
        let pages = try await file.write { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
        try await file.write { try $0.execute(sql: "INSERT INTO t VALUES (-1)") }
        // SQLite's own limit, answered as a full disk is.
        try await file.write { try $0.execute(sql: "PRAGMA max_page_count = \(pages + 2)") }
        let error = await #expect(throws: SQLiteError.self) {
            try await file.write { database in
                for number in 0..<100_000 {
                    try database.execute(sql: "INSERT INTO t VALUES (?)", arguments: [number])
                }
            }
        }
        #expect(error?.code == .diskFull)
        #expect(error?.isUnavailable == true)
        try await file.write { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        try await file.write { try $0.execute(sql: "INSERT INTO t VALUES (7)") }
        #expect(try await numbers(file) == [-1, 7])
    }

    @Test func whatWasAskedForIsWrittenBeforeItCloses() async throws {
        let file = try opened()
        let gate = DispatchSemaphore(value: 0)
        let writes = (0..<50).map { number in
            Task.immediate {
                try await file.write { database in
                    if number == 0 { gate.wait() }
                    try database.execute(sql: "INSERT INTO t VALUES (?)", arguments: [number])
                }
            }
        }
        let closing = Task.immediate { await file.close() }
        let error = await #expect(throws: SQLiteError.self) { try await file.write { _ in } }
        #expect(error?.code == .closed)
        gate.signal()
        for write in writes { try await write.value }
        await closing.value
        #expect(try await numbers(opened()).count == 50)
    }
}

private final class CommitCounter: TransactionObserver, Sendable {
    private let commits = Shared(0)
    var count: Int { commits.value }

    func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { false }
    func databaseDidChange(with event: DatabaseEvent) {}
    func databaseDidCommit(_ database: Database) { commits.change { $0 += 1 } }
    func databaseDidRollback(_ database: Database) {}
}

private final class Shared<Value: Sendable>: Sendable {
    private let content: Mutex<Value>
    init(_ value: Value) { content = Mutex(value) }
    var value: Value { content.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) { content.withLock { body(&$0) } }
}
