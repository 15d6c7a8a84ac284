import Envelopes
import PostgreSQL
import TestSupport
import Testing

@testable import Gateways

typealias TCPProxy = TestSupport.TCPProxy
typealias TestDatabase = TestSupport.TestDatabase

extension GatewayDatabase {
    static func of(_ url: String) -> GatewayDatabase {
        .postgreSQL(PoolSettings(connection: ConnectionSettings(url: url), size: 4))
    }
}

/// Gives the test a database and takes it away again.
func withDatabase(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestSupport.withDatabase(body)
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

extension EnvelopeStore {
    /// - Returns: the outbox row, `nil` when there is an envelope of that id already.
    func submit(_ submission: Submission, grace: Duration) async throws -> Int64? {
        guard case .accepted(let rowID) = try await submit([submission], grace: grace)[0] else { return nil }
        return rowID
    }
}

extension SubmissionRequest {
    init(route: [String], payload: RawJSON, schedule: Schedule) {
        self.init(route: Route(actors: route), payload: payload, schedule: schedule)
    }

    init(_ members: [RawJSON.Member]) throws(Problem) { try self.init(members, tools: ToolCatalogue()) }
}
