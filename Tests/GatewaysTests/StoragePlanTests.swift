import Envelopes
import PostgreSQL
import TestSupport
import Testing

@testable import Gateways

/// What the gateway asks of a database with a million envelopes.
///
/// The statements run as they are, and the server tells what they have read: triggers and foreign keys count too, which no EXPLAIN shows.
/// Plans made for the parameters' values and plans made for any value differ; a prepared statement comes to have either.
@Suite("Storage plans", .serialized, .timeLimit(.minutes(5)))
struct StoragePlanTests {
    @Test("no statement reads a table as a whole")
    func plans() async throws {
        try await withDatabase { database in
            try await fill(database.pool)
            for (number, plans) in ["force_custom_plan", "force_generic_plan"].enumerated() {
                let readings = try await Readings(database, plans: plans)
                try await look(readings)
                try await list(readings)
                try await write(readings, number)
                await readings.close()
            }
        }
    }

    // MARK: What there is

    private static let envelopeCount = 1_000_000

    private func id(_ number: Int) -> String { "e\(10_000_000 + number)" }

    /// Over 30 days: one in a hundred unfinished, one in a hundred the child of one of a thousand, 199 tools and one that is rare, and two
    /// updates each.
    private func fill(_ pool: Pool) async throws {
        let time = "now() - interval '30 days' * (1 - n / \(Self.envelopeCount).0)"
        let numbers = "generate_series(0, \(Self.envelopeCount - 1)) n"
        try await pool.query("ALTER TABLE envelope_updates DISABLE TRIGGER ALL")
        try await pool.query(
            """
            INSERT INTO envelopes (
                id, parent_id, status, route_actors, payload, error, deadline, created_at, updated_at, current_actor_name,
                total_actors, tool)
            SELECT 'e' || 10000000 + n, CASE WHEN n % 100 = 7 THEN 'e' || 10000000 + n / 1000 * 1000 END,
                   CASE WHEN n % 100 = 5 THEN (ARRAY['pending', 'running', 'retrying'])[1 + n / 100 % 3]
                        WHEN n % 50 = 1 THEN 'failed' WHEN n % 200 = 3 THEN 'cancelled' ELSE 'succeeded' END,
                   '{a,b}', '{}', CASE WHEN n % 50 = 1 THEN 'boom' END, CASE WHEN n % 5 = 0 THEN \(time) + interval '29 days' END,
                   \(time), \(time), CASE WHEN n % 250000 = 777 THEN 'rare' ELSE 'actor-' || n % 17 END, 2,
                   CASE WHEN n % 250000 = 777 THEN 'rare' WHEN n % 3 > 0 THEN 'tool-' || n % 199 END
            FROM \(numbers)
            """)
        for (status, event, head) in [
            ("'running'", "NULL", #"'{"id":"e","route":{"actors":["a","b"],"current":0},"payload":'"#),
            ("CASE WHEN n % 100 = 5 THEN 'running' ELSE 'succeeded' END", "'e' || n", "NULL"),
        ] {
            try await pool.query(
                """
                INSERT INTO envelope_updates (envelope_id, status, actor, event_id, timestamp, sent_head)
                SELECT 'e' || 10000000 + n, \(status), 'a', \(event), \(time), \(head) FROM \(numbers)
                """)
        }
        try await pool.query("ALTER TABLE envelope_updates ENABLE TRIGGER ALL")
        try await pool.query(
            """
            INSERT INTO outbox (envelope_id, actor, head, due_at)
            SELECT id, 'a', '{"payload":', created_at FROM envelopes WHERE status = 'pending'
            """)
        try await pool.query(
            "INSERT INTO cancellations (envelope_id) SELECT id FROM envelopes WHERE status = 'cancelled'")
        try await pool.query("ANALYZE")
    }

    // MARK: What is asked

    private func look(_ readings: Readings) async throws {
        let store = readings.store
        let ended = id(500_000)
        try await readings.expect("an envelope", 1) { try await store.envelope(ended) != nil }
        try await readings.expect("whether it is active", 1) { try await !store.isActive(ended) }
        try await readings.expect("whether it exists", 1) { try await store.exists(ended) }
        try await readings.expect("its history", 10) {
            try await store.updates(of: ended, after: 0, limit: 100)?.updates.count == 2
        }
        try await readings.expect("its history without partial results", 10) {
            try await store.updates(of: ended, after: 0, limit: 100, withPartials: false)?.isFinal == true
        }
        try await readings.expect("its steps", 2) {
            try await store.stepUpdates(of: ended, limit: 1000).count == 2
        }
        try await readings.expect("its children", 10) {
            try await store.childCounts(of: ended, limit: 10_000).map(\.count) == [10]
        }
        try await readings.expect("what a retry needs", 20) {
            try await store.retryable(ended)?.submitted != nil
        }
        let hundred = (0..<100).map { id(100_000 + $0 * 9000) }
        try await readings.expect("results", 100) { try await store.results(of: hundred).count == 100 }
        try await readings.expect("last changes", 100) {
            try await store.lastChanges(of: Set(hundred)).count == 100
        }
        try await readings.expect("ids that begin so", 1000) {
            try await store.recentIDs(beginning: "e1", limit: 10).count == 10
        }
        try await readings.expect("overdue envelopes", 400) {
            try await !store.overdue(grace: .seconds(1), limit: 256).isEmpty
        }
        try await readings.expect("the outbox's length", 0) {
            try await store.outboxLength(within: .seconds(1), upTo: 100) == 100
        }
        try await readings.expect("the next message", 0) { try await store.timeToNextMessage() != nil }
        try await readings.expect("cancellations that were requested last", 0) {
            try await store.latestCancellations(limit: 100).count == 100
        }
        try await readings.expect("cancellations to be told", 0) {
            try await store.unannouncedCancellations(limit: 100).count == 100
        }
    }

    /// What `GET /envelopes` can ask for. At most some of a day, a status or a tool is read that isn't in the list.
    private func list(_ readings: Readings) async throws {
        let store = readings.store
        let day: Int64 = 86_400_000_000
        let middle = try #require(try await store.envelope(id(500_000))).createdAt
        for status in [nil, EnvelopeStatus.running, .failed, .succeeded] {
            for tool in [nil, "tool-5", "rare", "none"] {
                for actor in [nil, "actor-5"] {
                    for parent in [nil, id(500_000)] {
                        for (since, place) in [(nil, nil), (middle, nil), (nil, middle)] {
                            let filter = EnvelopeFilter(
                                status: status, actor: actor, tool: tool, parentID: parent, since: since,
                                before: since.map { $0 + day }, isAscending: parent != nil)
                            try await readings.expect("\(filter) after \(place ?? 0)", 25_000) {
                                try await store.envelopes(
                                    filter, after: place.map { EnvelopePlace(createdAt: $0, id: "e") }, limit: 100
                                ).count <= 100
                            }
                        }
                    }
                }
            }
        }
        for filter in [
            EnvelopeFilter(), EnvelopeFilter(status: .running), EnvelopeFilter(tool: "tool-5"),
            EnvelopeFilter(tool: "rare"),
        ] {
            try await readings.expect("\(filter)", 300) { try await !store.envelopes(filter, limit: 100).isEmpty }
        }
        // Of a rare actor only what is unfinished is found quickly (docs/decisions/21-storage.md).
        try await readings.expect("a rare actor", 5000) {
            try await store.envelopes(EnvelopeFilter(status: .running, actor: "rare"), limit: 100).isEmpty
        }
    }

    // MARK: What is written

    /// - Parameter number: of the pass; each writes to other envelopes.
    private func write(_ readings: Readings, _ number: Int) async throws {
        let store = readings.store
        let new = try (0..<100).map { try submission("new-\(number)-\($0)") }
        try await readings.expect("a bulk submission", 500) {
            try await store.submit(new, grace: .zero).allSatisfy { $0 != .duplicate }
        }
        try await readings.expect("a repeated submission", 500) {
            try await store.submit(new, grace: .zero).allSatisfy { $0 == .duplicate }
        }

        // Unfinished ones lie 100 apart.
        let running = (0..<100).map { id(300_105 + number * 30_000 + $0 * 300) }
        let changes = try running.map {
            try EnvelopeChange(
                StatusReport(
                    kind: .progress, eventID: "\($0)/1", envelopeID: $0, status: "processing", actors: ["a", "b"],
                    currentActorIndex: 0))
        }
        try await readings.expect("a batch of reports", 1000) {
            try await store.apply(changes).allSatisfy { if case .applied = $0 { true } else { false } }
        }
        let results = try running.map {
            var report = StatusReport(
                kind: .emitted, eventID: "\($0)/2", envelopeID: $0, status: "running", actors: ["a", "b"],
                currentActorIndex: 0)
            report.events = [EmittedEvent(type: "token", data: RawJSON.null)]
            return try PartialResults(report)
        }
        try await readings.expect("a batch of partial results", 1000) {
            try await store.append(results, limit: 100).allSatisfy { $0 == .applied }
        }
        let children = running.map { FanOutChild(id: "\($0)-1", parentID: $0, actors: ["a"], actorIndex: 0) }
        try await readings.expect("a fan-out", 500) { try await store.register(children) == 0 }

        try await readings.expect("messages that are due", 2000) {
            try await store.takeDueMessages(limit: 256, lease: .seconds(60)).count == 256
        }
        try await readings.expect("messages that have been sent", 0) {
            try await store.deleteMessages(of: running)
            return true
        }

        try await readings.expect("a cancellation", 100) { try await store.cancel(running[0]) == 2 }
        try await readings.expect("a cancellation told again", 200) {
            try await store.announceAgain(Set(running))
            return true
        }
        try await readings.expect("cancellations done with", 0) {
            try await store.forgetCancellations(of: Set(running))
            return true
        }
        let failed = id(700_001 + number * 50)
        let message = try Envelope(
            parsing: Array(
                #"{"id":"\#(failed)","route":{"actors":["a","b"],"current":0},"headers":{"troupe-replays":1},"payload":{}}"#
                    .utf8),
            limits: .ofBroker)
        try await readings.expect("a retry", 20) {
            try await store.reopen(with: message, message: "again", grace: .zero) != nil
        }

        try await readings.expect("a deletion", 100) {
            try await store.delete(id(800_002 + number)) == .deleted
        }
        try await readings.expect("what is old", 10_000) {
            try await store.deleteEnded(olderThan: .seconds(86_400), after: nil, limit: 500).count > 400
        }
    }

    private func submission(_ id: String) throws -> Submission {
        try SubmissionRequest(
            RawJSON(Array(#"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":{}}"#.utf8)).members
        )
        .submission()
    }
}

/// A store on one connection, and what the server says that it has read there.
private struct Readings {
    let store: PostgreSQLEnvelopeStore
    private let plans: String

    init(_ database: TestDatabase, plans: String) async throws {
        let settings = PoolSettings(connection: ConnectionSettings(url: database.url), size: 1)
        store = PostgreSQLEnvelopeStore(pool: Pool(settings, on: TestDatabase.loop))
        self.plans = plans
        try await store.pool.query("SET plan_cache_mode = \(plans)")
    }

    func close() async { await store.pool.close() }

    /// - Parameters:
    ///   - limit: rows of envelopes and updates that may be read.
    ///   - body: whether it found what there is.
    func expect(
        _ what: String, _ limit: Int, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Bool
    ) async throws {
        let before = try await total()
        #expect(try await body(), "\(what): not what is there, \(plans)", sourceLocation: sourceLocation)
        let after = try await total()
        #expect(
            after.scans == before.scans, "\(what) reads a table as a whole, \(plans)", sourceLocation: sourceLocation)
        let rows = after.rows - before.rows
        #expect(rows <= limit, "\(what) reads \(rows) rows, \(plans)", sourceLocation: sourceLocation)
    }

    private func total() async throws -> (scans: Int, rows: Int) {
        try await store.pool.query("SELECT pg_stat_force_next_flush()")
        let row = try await store.pool.query(
            """
            SELECT sum(seq_scan)::bigint, sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables
            WHERE relname IN ('envelopes', 'envelope_updates')
            """)[0]
        return (try row.integer(0), try row.integer(1))
    }
}
