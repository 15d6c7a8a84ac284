import EventLoops
import Foundation
import PostgreSQL
import TestSupport
import Testing

typealias TCPProxy = TestSupport.TCPProxy

/// The PostgreSQL server that the tests were given.
enum TestServer {
    static let loop = EventLoop(name: "test-pg")

    static var url: String {
        get throws {
            try #require(
                ProcessInfo.processInfo.environment["TROUPE_TEST_DATABASE_URL"],
                "TROUPE_TEST_DATABASE_URL is not set: run `make test`, which starts a private PostgreSQL")
        }
    }

    static func connect(
        _ change: (inout ConnectionSettings) -> Void = { _ in }
    ) async throws -> Connection {
        var settings = ConnectionSettings(url: try url)
        change(&settings)
        return try await Connection.connect(settings, on: loop)
    }

    /// A server process that is killed from outside, as far as a connection can tell.
    static func terminate(_ connection: Connection) async throws {
        let pid = try await connection.query("SELECT pg_backend_pid()")[0].integer(0)
        let other = try await connect()
        try await other.query("SELECT pg_terminate_backend($1::int)", [.integer(pid)])
        await other.close()
    }
}

/// Waits for what must come soon; no test hangs.
func eventually(
    within limit: Duration = .seconds(10), _ comment: Comment, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(comment)
}
