import Envelopes
import PostgreSQL
import Testing
import Transports

@testable import Gateways

/// Several gateways on one real broker and one real database, while they are killed.
@Suite("One gateway at a time takes in reports", .serialized)
struct TakeoverTests {
    @Test(
        "each is written once and in order, also when the one that writes is killed in mid-batch",
        arguments: [RabbitMQSettings.QueueType.quorum, .classic])
    func takeover(queueType: RabbitMQSettings.QueueType) async throws {
        try await withServers(queueType) { database, broker in
            let (envelopes, steps) = (8, 250)
            for number in 0..<envelopes {
                _ = try await database.store.submit(
                    SubmissionRequest(route: ["a"], payload: .null, schedule: Schedule()).submission(id: "e\(number)"),
                    grace: .seconds(3600))
            }
            // Slow enough that a kill always finds a batch half written.
            try await database.pool.query(
                """
                CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END $$
                """)
            try await database.pool.query(
                "CREATE TRIGGER dawdle BEFORE INSERT ON envelope_updates FOR EACH ROW EXECUTE FUNCTION dawdle()")
            var gateways = [
                try await GatewayProgram(database, broker.settings),
                try await GatewayProgram(database, broker.settings),
            ]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<envelopes {
                    group.addTask {
                        for step in 0..<steps {
                            var report = StatusReport(
                                kind: .progress, eventID: "e\(number)/0.\(step).0.1/processing",
                                envelopeID: "e\(number)",
                                status: "processing", actors: ["a"], currentActorIndex: 0, message: "step \(step)")
                            report.loops = step
                            try await broker.publish(report)
                        }
                    }
                }
                try await group.waitForAll()
            }
            func written() async throws -> Int {
                try await database.pool.query("SELECT count(*) FROM envelope_updates WHERE event_id IS NOT NULL")[0]
                    .integer(0)
            }
            func taken(_ gateway: GatewayProgram) async throws -> Int {
                try await gateway.metric(#"status_reports_total{outcome="applied"}"#)
            }
            for threshold in [400, 1000] {
                try await eventually(within: .seconds(60), "nothing is written") { try await written() >= threshold }
                let counts = [try await taken(gateways[0]), try await taken(gateways[1])]
                #expect(counts.contains(0), "two write at the same time: \(counts)")
                let active = counts[0] > 0 ? 0 : 1
                gateways[active].kill()
                // A new one takes its place in the line.
                gateways[active] = try await GatewayProgram(database, broker.settings)
            }
            try await eventually(within: .seconds(60), "not all are written") {
                try await written() == envelopes * steps
            }
            try await eventually("reports are left") { try broker.messages(in: ".events.gateway") == 0 }
            for number in 0..<envelopes {
                let updates = try #require(
                    try await database.store.updates(of: "e\(number)", after: 0, limit: steps + 10)
                ).updates
                #expect(updates.dropFirst().map(\.message) == (0..<steps).map { "step \($0)" })
                #expect(try await database.store.envelope("e\(number)")?.message == "step \(steps - 1)")
            }
        }
    }
}
