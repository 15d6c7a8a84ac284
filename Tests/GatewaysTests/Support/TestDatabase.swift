import EventLoops
import Foundation
import PostgreSQL
import Testing

@testable import Gateways

/// A database of one test, with the schema as `gateway-schema/deploy` makes it.
final class TestDatabase: Sendable {
    let url: String
    let pool: Pool
    private let name: String

    static let loop = EventLoop(name: "test-gateway")
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static var serverURL: String {
        get throws {
            try #require(
                ProcessInfo.processInfo.environment["TROUPE_TEST_DATABASE_URL"],
                "TROUPE_TEST_DATABASE_URL is not set: run `make test`, which starts a private PostgreSQL")
        }
    }

    /// Made once, by whichever test comes first.
    private static let template = Task { () throws -> String in
        let name = "gateway_template_\(getpid())"
        try await administer("DROP DATABASE IF EXISTS \(name)")
        try await administer("CREATE DATABASE \(name)")
        let plan = try String(contentsOf: repository.appending(path: "gateway-schema/sqitch.plan"), encoding: .utf8)
        for line in plan.split(separator: "\n") where !line.hasPrefix("%") {
            let change = line.prefix { $0 != " " }
            try run(
                [
                    "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=\(try databaseURL(name))",
                    "--file=\(repository.path)/gateway-schema/deploy/\(change).sql",
                ])
        }
        return name
    }

    static func withSchema() async throws -> TestDatabase { try await TestDatabase(template: try await template.value) }
    static func empty() async throws -> TestDatabase { try await TestDatabase(template: "template1") }

    private init(template: String) async throws {
        name = "gateway_\(getpid())_\(UInt32.random(in: 0...(.max)))"
        try await Self.administer("CREATE DATABASE \(name) TEMPLATE \(template)")
        url = try Self.databaseURL(name)
        pool = Pool(PoolSettings(connection: ConnectionSettings(url: url), size: 4), on: Self.loop)
    }

    var store: EnvelopeStore { EnvelopeStore(pool: pool) }

    func outboxLength() async throws -> Int {
        try await pool.query("SELECT count(*) FROM outbox")[0].integer(0)
    }

    func drop() async throws {
        await pool.close()
        try await Self.administer("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
    }

    static func databaseURL(_ name: String) throws -> String {
        var components = try #require(URLComponents(string: try serverURL))
        components.path = "/\(name)"
        return try #require(components.string)
    }

    static func administer(_ sql: String) async throws {
        let connection = try await Connection.connect(ConnectionSettings(url: try databaseURL("postgres")), on: loop)
        defer { Task { await connection.close() } }
        try await connection.query(sql)
    }

    struct CommandFailure: Error { var output: String }

    @discardableResult
    static func run(_ command: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = repository
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CommandFailure(output: text) }
        return text
    }
}

/// Gives the test a database and takes it away again.
func withDatabase(_ body: (TestDatabase) async throws -> Void) async throws {
    let database = try await TestDatabase.withSchema()
    do {
        try await body(database)
    } catch {
        try await database.drop()
        throw error
    }
    try await database.drop()
}

/// Waits for what must come soon; no test hangs.
func eventually(
    within limit: Duration = .seconds(15), _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(comment, sourceLocation: sourceLocation)
}
