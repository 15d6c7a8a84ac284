import Envelopes
import Testing
import Transports

@testable import Gateways

@Suite("Actors and queues", .serialized)
struct ActorTests {
    func introduce(_ actor: String, to gateway: TestGateway) async throws {
        gateway.transport.deliver(
            ControlRequest(actor: actor, inbox: "\(actor).1").encoded(), from: .controlRequests)
        try await eventually("\(actor) isn't known") {
            try await gateway.client.get("/actors/\(actor.replacing(" ", with: "%20"))").status == 200
        }
    }

    func report(_ id: String, _ status: String, at actor: String, _ index: Int, event: Int) -> StatusReport {
        StatusReport(
            kind: status == "failed" ? .final : .progress, eventID: "\(id)/\(event)", envelopeID: id, status: status,
            actors: ["a", "b"], currentActorIndex: index, currentActorName: actor)
    }

    // MARK: How they are

    @Test(
        "an actor is known when its sidecar has started, with what broker and database know of it",
        arguments: StoreKind.allCases)
    func list(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            #expect(try await gateway.client.get("/actors")["actors"]?.elements.isEmpty == true)
            #expect(try await gateway.client.get("/actors/a").code == "unknown_actor")
            gateway.queues.set([
                .actor("a"): QueueState(ready: 7, consumers: 2),
                .deadLetters(actor: "a"): QueueState(ready: 1, consumers: 0),
                .statusReports: QueueState(ready: 0, consumers: 1),
            ])
            try await introduce("a", to: gateway)
            try await introduce("b", to: gateway)
            try await Task.sleep(for: .seconds(1.1))
            let actors = try #require(try await gateway.client.get("/actors")["actors"]).elements
            #expect(actors.map { $0["name"]?.string } == ["a", "b"])
            let (a, b) = (actors[0], actors[1])
            #expect(a["ready"]?.integer == 7 && a["consumers"]?.integer == 2 && a["dead_letters"]?.integer == 1)
            #expect(a["state"]?.string == "running" && a["paused"] == nil)
            #expect(a["in_flight"]?.integer == 0 && a["oldest_at"] == nil)
            #expect(b["ready"]?.kind == .null && b["consumers"]?.kind == .null, "it has no queue")

            let answer = try await gateway.client.get("/queues")
            let queues = try #require(answer["queues"]).elements
            #expect(queues.map { $0["kind"]?.string } == ["status_reports", "actor", "dead_letters"])
            #expect(queues[1]["actor"]?.string == "a" && queues[1]["ready"]?.integer == 7)
            #expect(answer["broker"]?["available"]?.boolean == true)
        }
    }

    @Test("a broker that is away leaves nulls and its reason, and the rest", arguments: StoreKind.allCases)
    func brokerAway(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await introduce("a", to: gateway)
            gateway.queues.set([:], failure: TransportError(.connectionLost, "nobody there"))
            try await Task.sleep(for: .seconds(1.1))
            let answer = try await gateway.client.get("/actors")
            #expect(answer.status == 200)
            #expect(answer["broker"]?["available"]?.boolean == false)
            #expect(answer["broker"]?["reason"]?.string == "nobody there")
            let actor = try #require(answer["actors"]?.elements.first)
            for name in ["ready", "consumers", "dead_letters"] { #expect(actor[name]?.kind == .null) }
            #expect(actor["in_flight"]?.integer == 0)
            let queues = try #require(try await gateway.client.get("/queues")["queues"]).elements
            #expect(queues.count == 5 && queues.allSatisfy { $0["ready"]?.kind == .null && $0["name"] != nil })
        }
    }

    @Test("fifty people who watch cost one look a second", arguments: StoreKind.allCases)
    func cached(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await introduce("a", to: gateway)
            try await Task.sleep(for: .seconds(1.1))
            let before = gateway.queues.looks
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await gateway.client.get(["/actors", "/actors/a", "/queues"][number % 3]).status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            #expect(gateway.queues.looks - before <= 1 + seconds)
        }
    }

    @Test(
        "work is where the envelope's turn is; rates are what was reported in five minutes",
        arguments: StoreKind.allCases)
    func work(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            for actor in ["a", "b"] { try await introduce(actor, to: gateway) }
            for id in ["e1", "e2", "e3", "e4"] {
                let answer = try await gateway.client.post(
                    "/envelopes", #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1}"#)
                #expect(answer.status == 202)
            }
            // It waits for its time, not for the actor.
            _ = try await gateway.client.post(
                "/envelopes", #"{"id":"later","route":{"actors":["b"]},"payload":1,"delay_ms":60000}"#)
            // e1: not begun. e2: at a. e3: sent on to b. e4: failed at a, after a retry.
            for report in [
                report("e2", "received", at: "a", 0, event: 1), report("e3", "received", at: "a", 0, event: 1),
                report("e3", "completed", at: "a", 1, event: 2), report("e4", "received", at: "a", 0, event: 1),
                report("e4", "retrying", at: "a", 0, event: 2), report("e4", "failed", at: "a", 0, event: 3),
            ] {
                gateway.transport.report(report)
            }
            try await eventually("not all are taken") { gateway.transport.acknowledgedCount == 8 }
            try await Task.sleep(for: .seconds(1.1))
            let actors = try #require(try await gateway.client.get("/actors")["actors"]).elements
            let (a, b) = (actors[0], actors[1])
            #expect(a["in_flight"]?.integer == 1 && b["in_flight"]?.integer == 0)
            let (e1, e3) = (
                try await gateway.client.get("/envelopes/e1"), try await gateway.client.get("/envelopes/e3")
            )
            #expect(try #require(e1["updated_at"]).string == a["oldest_at"]?.string)
            #expect(try #require(e3["updated_at"]).string == b["oldest_at"]?.string)
            let rates = try #require(a["rates"])
            #expect(rates["window_seconds"]?.integer == 300)
            #expect(rates["completed_per_minute"]?.double == 0.2)
            #expect(rates["failed_per_minute"]?.double == 0.2)
            #expect(rates["retried_per_minute"]?.double == 0.2)
            #expect(b["rates"]?["completed_per_minute"]?.double == 0)

            try await database.execute(
                "UPDATE envelope_updates SET timestamp = \(database.later("timestamp", by: .seconds(-360)))")
            try await Task.sleep(for: .seconds(1.1))
            let later = try await gateway.client.get("/actors/a")
            #expect(later["actor"]?["rates"]?["completed_per_minute"]?.double == 0)
        }
    }

    @Test("where there is more than it looks at, rates are of a shorter time", arguments: StoreKind.allCases)
    func manyReports(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            try await database.insert(1)
            if kind == .postgreSQL { try await database.execute("ALTER TABLE envelope_updates DISABLE TRIGGER ALL") }
            // 1,000 a second, for four minutes.
            try await database.execute(
                """
                INSERT INTO envelope_updates (envelope_id, status, actor, envelope_state, timestamp)
                SELECT 'e1', 'running', 'a', 'completed', \(database.later(nil, by: .milliseconds(1), times: "n - 240000"))
                FROM \(database.numbers(1...240_000))
                """)
            let rates = try await database.store.rates()
            #expect((45...60).contains(rates.seconds))
            let count = try #require(rates.counts["a"]?.completed)
            #expect((50_000...52_000).contains(count))
            #expect(abs(Double(count) / rates.seconds - 1000) < 50)
        }
    }

    @Test("neither look reads a table as a whole")
    func plans() async throws {
        try await withDatabase { database in
            try await database.pool.query("ALTER TABLE envelope_updates DISABLE TRIGGER ALL")
            try await database.pool.query(
                """
                INSERT INTO envelopes (id, route_actors, status, created_at, current_actor_name)
                SELECT 'e' || n, '{a,b}', CASE WHEN n % 50 = 0 THEN 'running' ELSE 'succeeded' END,
                       now() - n * interval '1 second', 'a'
                FROM generate_series(1, 60000) n
                """)
            try await database.pool.query(
                """
                INSERT INTO envelope_updates (envelope_id, status, actor, envelope_state, timestamp)
                SELECT 'e' || 1 + n / 3, 'running', 'a', 'completed', now() - (120000 - n) * interval '1 second'
                FROM generate_series(1, 120000) n
                """)
            try await database.pool.query("ANALYZE")
            for (sql, index) in [
                (PostgreSQLEnvelopeStore.workSQL, "envelopes_by_status"),
                (PostgreSQLEnvelopeStore.ratesSQL, "envelope_updates_pkey"),
            ] {
                let plan = try await database.pool.query("EXPLAIN (ANALYZE) \(sql)").map { try $0.string(0) }
                let text = plan.joined(separator: "\n")
                #expect(!text.contains("Seq Scan"), "\(text)")
                #expect(text.contains(index))
            }
            #expect(try await database.store.work()["a"]?.inFlight == 1200)
            let completed = try #require(try await database.store.rates().counts["a"]?.completed)
            #expect((250...300).contains(completed))
        }
    }

    // MARK: Paused

    @Test("a pause is told to all, and what it is stands in the answer", arguments: StoreKind.allCases)
    func pause(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await introduce("a b", to: gateway)
            #expect(try await gateway.client.post("/actors/nobody/pause", "").code == "unknown_actor")
            #expect(try await gateway.client.post("/actors/nobody/resume", "").code == "unknown_actor")
            let paused = try await gateway.client.post("/actors/a%20b/pause", #"{"reason":"no paper"}"#)
            #expect(paused.status == 200)
            #expect(paused["actor"]?["state"]?.string == "paused")
            #expect(paused["actor"]?["paused"]?["reason"]?.string == "no paper")
            let since = try #require(paused["actor"]?["paused"]?["since"]?.string)
            try await eventually("nobody was told") { gateway.transport.pauses().count == 1 }
            // Again, without a body: it is paused since when it was.
            let again = try await gateway.client.post("/actors/a%20b/pause", "")
            #expect(again["actor"]?["paused"]?["since"]?.string == since)
            #expect(again["actor"]?["paused"]?["reason"]?.string == "no paper")
            try await eventually("nobody was told") { gateway.transport.pauses().count == 2 }

            let resumed = try await gateway.client.post("/actors/a%20b/resume", "")
            #expect(resumed["actor"]?["state"]?.string == "running" && resumed["actor"]?["paused"] == nil)
            try await eventually("nobody was told") { gateway.transport.pauses().count == 3 }
            // Also one that isn't paused: a sidecar may not have heard of it.
            #expect(try await gateway.client.post("/actors/a%20b/resume", "{}").status == 200)
            try await eventually("nobody was told") { gateway.transport.pauses().count == 4 }
            let told = gateway.transport.pauses().joined().map(\.self)
            #expect(told.map(\.actor) == Array(repeating: "a b", count: 4))
            #expect(told.map(\.isPaused) == [true, true, false, false])
            #expect(zip(told, told.dropFirst()).allSatisfy { $0.decidedAt < $1.decidedAt })

            for body in ["[]", "{", #"{"reason":1}"#, #"{"reason":"\#(String(repeating: "x", count: 501))"}"#] {
                #expect(try await gateway.client.post("/actors/a%20b/pause", body).status == 400)
            }
            #expect(try await gateway.client.get("/actors/a%20b")["actor"]?["state"]?.string == "running")
        }
    }

    @Test(
        "while the broker is away it is told when it is back, by whichever gateway lives then; and again while it lasts",
        arguments: StoreKind.allCases)
    func toldAgain(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let gateway = try await TestGateway.start(database.gateway)
            try await introduce("a", to: gateway)
            gateway.transport.fail(with: TransportError(.timeout, "away"))
            #expect(try await gateway.client.post("/actors/a/pause", "").status == 200)
            try await Task.sleep(for: .milliseconds(300))
            #expect(gateway.transport.pauses().isEmpty)
            try await gateway.stop()

            let next = try await TestGateway.start(database.gateway)
            try await eventually("it was forgotten") { next.transport.pauses().joined().map(\.isPaused) == [true] }
            func lookAgain(_ setting: String) async throws {
                try await database.execute("UPDATE actors SET \(setting)")
                try await introduce("b", to: next)
                _ = try await next.client.post("/actors/b/pause", "")
            }
            try await lookAgain("pause_announced_at = \(database.later("pause_announced_at", by: .seconds(-11)))")
            try await eventually("it is not repeated") {
                next.transport.pauses().joined().count { $0.actor == "a" } == 2
            }
            _ = try await next.client.post("/actors/a/resume", "")
            try await eventually("nobody was told") { next.transport.pauses().joined().count { !$0.isPaused } == 1 }
            // Its end is repeated for a day.
            try await lookAgain("pause_announced_at = \(database.later("pause_announced_at", by: .seconds(-11)))")
            try await eventually("it is not repeated") { next.transport.pauses().joined().count { !$0.isPaused } == 2 }
            try await lookAgain(
                """
                pause_announced_at = \(database.later("pause_announced_at", by: .seconds(-11))),
                pause_decided_at = \(database.later("pause_decided_at", by: .seconds(-25 * 3600)))
                """)
            try await Task.sleep(for: .milliseconds(300))
            #expect(next.transport.pauses().joined().count { !$0.isPaused } == 2)
            try await next.stop()
        }
    }

    @Test(
        "a sidecar that starts is told last whether its actor is paused, also when it is not",
        arguments: StoreKind.allCases)
    func starting(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            for actor in ["a", "b"] { try await introduce(actor, to: gateway) }
            _ = try await gateway.client.post("/actors/a/pause", "")
            for (actor, inbox) in [("a", "a.2"), ("b", "b.2")] {
                gateway.transport.deliver(ControlRequest(actor: actor, inbox: inbox).encoded(), from: .controlRequests)
            }
            for (actor, inbox) in [("a", "a.2"), ("b", "b.2")] {
                try await eventually("no answer") {
                    gateway.transport.controls(to: .controlInbox(inbox)).count == 2
                }
                let answers = gateway.transport.controls(to: .controlInbox(inbox))
                guard case .cancel([]) = answers[0], case .pauses(let pauses) = answers[1] else {
                    Issue.record("\(answers)")
                    continue
                }
                #expect(pauses.map(\.actor) == [actor] && pauses.map(\.isPaused) == [actor == "a"])
            }
        }
    }
}
