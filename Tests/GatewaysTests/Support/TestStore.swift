import EventLoops
import Envelopes
import Foundation
import GRDB
import SQLite
import TestSupport
import Testing

@testable import Gateways

/// What a gateway may keep its envelopes in: the tests of behaviour run on each.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case postgreSQL, sqlite

    var testDescription: String { rawValue }
}

/// A store of one test's own, and a back door to its tables. SQL is what both databases understand; times are made by `moment` and `later`.
protocol TestStore: Sendable {
    associatedtype Store: EnvelopeStore
    var store: Store { get }
    /// For a gateway; several may share it.
    var gateway: GatewayDatabase { get }

    func execute(_ sql: String) async throws
    /// The first column of each row.
    func texts(_ sql: String) async throws -> [String]
    /// The one number that the statement gives.
    func count(_ sql: String) async throws -> Int

    /// - Parameter microseconds: since 1970.
    func moment(_ microseconds: Int64) -> String
    /// - Parameter time: a column; now where there is none.
    func later(_ time: String?, by offset: Duration, times factor: String) -> String
}

extension TestStore {
    func later(_ time: String? = nil, by offset: Duration) -> String { later(time, by: offset, times: "1") }
    func ago(_ offset: Duration) -> String { later(by: .zero - offset) }

    func outboxLength() async throws -> Int { try await count("SELECT count(*) FROM outbox") }

    /// A table of numbers.
    func numbers(_ range: ClosedRange<Int>) -> String {
        """
        (WITH RECURSIVE s (n) AS (SELECT \(range.lowerBound) UNION ALL SELECT n + 1 FROM s WHERE n < \(range.upperBound))
         SELECT n FROM s) AS numbers
        """
    }

    /// Envelopes `{prefix}1`, `{prefix}2`, ... of one actor `a`, without messages: what else is to be said of them is up to the test.
    func insert(_ count: Int, prefix: String = "e", parent: String = "nobody") async throws {
        _ = try await store.register(
            (1...count).map { FanOutChild(id: "\(prefix)\($0)", parentID: parent, actors: ["a"], actorIndex: 0) })
    }
}

extension TestDatabase: TestStore {
    var store: PostgreSQLEnvelopeStore { PostgreSQLEnvelopeStore(pool: pool) }
    var gateway: GatewayDatabase { .of(url) }

    func execute(_ sql: String) async throws { try await pool.query(sql) }
    func texts(_ sql: String) async throws -> [String] { try await pool.query(sql).map { try $0.string(0) } }
    func count(_ sql: String) async throws -> Int { try await pool.query(sql)[0].integer(0) }

    func moment(_ microseconds: Int64) -> String { "timestamptz 'epoch' + \(microseconds) * interval '1 microsecond'" }

    func later(_ time: String?, by offset: Duration, times factor: String) -> String {
        "(\(time ?? "now()") + (\(factor)) * interval '\(offset.nanosecondsClamped / 1000) microseconds')"
    }
}

/// A file of SQLite's.
final class SQLiteTestStore: TestStore {
    let store: SQLiteEnvelopeStore
    let gateway: GatewayDatabase
    let file: SQLiteFile
    private let folder = TemporaryFolder()

    init() throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        file = try SQLiteFile(path: folder.path + "/troupe.db")
        try file.migrate("store", StoreTables.steps)
        let source = SQLiteDatabase(file: file)
        gateway = GatewayDatabase(source: source)
        store = source.store
    }

    func execute(_ sql: String) async throws { try await file.write { try $0.execute(sql: sql) } }

    func texts(_ sql: String) async throws -> [String] { try await file.read { try String.fetchAll($0, sql: sql) } }

    func count(_ sql: String) async throws -> Int {
        try #require(try await file.read { try Int.fetchOne($0, sql: sql) })
    }

    func moment(_ microseconds: Int64) -> String { "\(microseconds)" }

    func later(_ time: String?, by offset: Duration, times factor: String) -> String {
        "(\(time ?? "\(Timestamp.microsecondsNow())") + (\(factor)) * \(offset.nanosecondsClamped / 1000))"
    }
}

/// Gives the test a store and takes it away again.
func withStore(_ kind: StoreKind, _ body: (any TestStore) async throws -> Void) async throws {
    switch kind {
    case .postgreSQL: try await withDatabase { database in try await body(database) }
    case .sqlite: try await withFile(body)
    }
}

/// The same for a file.
func withFile(_ body: (SQLiteTestStore) async throws -> Void) async throws {
    let store = try SQLiteTestStore()
    do {
        try await body(store)
    } catch {
        await store.file.close()
        throw error
    }
    await store.file.close()
}
