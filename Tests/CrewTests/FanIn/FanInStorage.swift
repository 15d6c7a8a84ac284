import EventLoops
import Foundation
import GRDB
import PostgreSQL
import SQLite
import TestSupport
import Testing

@testable import Crew

/// What fan-in may keep its groups in: the tests of behaviour run on each.
enum FanInStoreKind: String, CaseIterable, CustomTestStringConvertible {
    case postgreSQL, sqlite

    var testDescription: String { rawValue }
}

/// A store of one test's own, and a back door to its tables.
protocol FanInStorage: Sendable {
    var store: any FanInStore { get }
    /// Of another replica; the same one where there can be only one.
    var other: any FanInStore { get }
    func execute(_ sql: String) async throws
    /// The one number that the statement gives.
    func count(_ sql: String) async throws -> Int
    /// A column of times, earlier by so much.
    func earlier(_ column: String, by seconds: Int) -> String
}

struct PostgreSQLFanInStorage: FanInStorage {
    let database: TestDatabase
    let limits: FanInLimits
    let otherPool: Pool

    init(_ database: TestDatabase, _ limits: FanInLimits) {
        self.database = database
        self.limits = limits
        otherPool = Pool(
            PoolSettings(connection: ConnectionSettings(url: database.url), size: 4), on: TestDatabase.loop)
    }

    var store: any FanInStore { PostgreSQLFanInStore(pool: database.pool, limits: limits) }
    var other: any FanInStore { PostgreSQLFanInStore(pool: otherPool, limits: limits) }

    func execute(_ sql: String) async throws { try await database.pool.query(sql) }
    func count(_ sql: String) async throws -> Int { try await database.pool.query(sql)[0].integer(0) }
    func earlier(_ column: String, by seconds: Int) -> String { "\(column) - interval '\(seconds) seconds'" }
}

final class SQLiteFanInStorage: FanInStorage {
    let store: any FanInStore
    var other: any FanInStore { store }
    private let file: SQLiteFile
    private let folder = TemporaryFolder()

    init(_ limits: FanInLimits) throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        file = try SQLiteFile(path: folder.path + "/fan-in.db")
        try file.migrate("fan-in", FanInTables.steps)
        store = SQLiteFanInStore(file, limits: limits)
    }

    func execute(_ sql: String) async throws { try await file.write { try $0.execute(sql: sql) } }
    func count(_ sql: String) async throws -> Int {
        try #require(try await file.read { try Int.fetchOne($0, sql: sql) })
    }
    func earlier(_ column: String, by seconds: Int) -> String { "\(column) - \(seconds)000000" }
    func close() async { await file.close() }
}

func withFanInStorage(
    _ kind: FanInStoreKind, _ limits: FanInLimits = FanInLimits(), _ body: (any FanInStorage) async throws -> Void
) async throws {
    switch kind {
    case .postgreSQL:
        try await withDatabase { database in
            let storage = PostgreSQLFanInStorage(database, limits)
            try await body(storage)
            await storage.otherPool.close()
        }
    case .sqlite:
        let storage = try SQLiteFanInStorage(limits)
        try await body(storage)
        await storage.close()
    }
}
