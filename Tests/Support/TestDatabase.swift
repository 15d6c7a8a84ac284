import EventLoops
import Foundation
import PostgreSQL

/// A database of one test, with the schema as `gateway-schema/deploy` makes it.
public final class TestDatabase: Sendable {
    public let url: String
    public let pool: Pool
    private let name: String

    public static let loop = EventLoop(name: "test-database")
    public static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Made once, by whichever test comes first.
    private static let template = Task { () throws -> String in
        let name = "test_template_\(getpid())"
        try await administer("DROP DATABASE IF EXISTS \(name)")
        try await administer("CREATE DATABASE \(name)")
        let plan = try String(contentsOf: repository.appending(path: "gateway-schema/sqitch.plan"), encoding: .utf8)
        for line in plan.split(separator: "\n") where !line.hasPrefix("%") {
            let change = line.prefix { $0 != " " }
            try TestServers.run(
                [
                    "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=\(try databaseURL(name))",
                    "--file=\(repository.path)/gateway-schema/deploy/\(change).sql",
                ])
        }
        return name
    }

    public static func withSchema() async throws -> TestDatabase {
        try await TestDatabase(template: try await template.value)
    }

    public static func empty() async throws -> TestDatabase { try await TestDatabase(template: "template1") }

    private init(template: String) async throws {
        name = "test_\(getpid())_\(UInt32.random(in: 0...(.max)))"
        try await Self.administer("CREATE DATABASE \(name) TEMPLATE \(template)")
        url = try Self.databaseURL(name)
        pool = Pool(PoolSettings(connection: ConnectionSettings(url: url), size: 4), on: Self.loop)
    }

    public func drop() async throws {
        await pool.close()
        try await Self.administer("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
    }

    private static func databaseURL(_ name: String) throws -> String {
        guard var components = URLComponents(string: try TestServers.databaseURL) else {
            throw URLError(.badURL)
        }
        components.path = "/\(name)"
        guard let url = components.string else { throw URLError(.badURL) }
        return url
    }

    private static func administer(_ sql: String) async throws {
        let connection = try await Connection.connect(ConnectionSettings(url: try databaseURL("postgres")), on: loop)
        defer { Task { await connection.close() } }
        try await connection.query(sql)
    }
}

/// Gives the test a database and takes it away again.
public func withDatabase(_ body: (TestDatabase) async throws -> Void) async throws {
    let database = try await TestDatabase.withSchema()
    do {
        try await body(database)
    } catch {
        try await database.drop()
        throw error
    }
    try await database.drop()
}
