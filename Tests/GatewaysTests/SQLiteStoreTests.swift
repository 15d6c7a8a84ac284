import Envelopes
import Foundation
import GRDB
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import Gateways

/// What is of SQLite alone; its behaviour as a store is in the tests that run on every kind.
@Suite("Store on SQLite", .serialized)
struct SQLiteStoreTests {
    private func submission(_ id: String) throws -> Submission {
        try SubmissionRequest(route: ["a", "b"], payload: .null, schedule: Schedule()).submission(id: id)
    }

    private func report(_ id: String, _ status: String, event: String) -> StatusReport {
        StatusReport(
            kind: status == "succeeded" ? .final : .progress, eventID: event, envelopeID: id, status: status,
            actors: ["a", "b"], currentActorIndex: 0)
    }

    // MARK: The file

    @Test("outlives its gateway: what was accepted is sent by the next one, and no event's number comes twice")
    func restart() async throws {
        let folder = TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        var lastNumber = 0
        for round in 1...3 {
            let file = try SQLiteFile(path: folder.path + "/troupe.db")
            let gateway = try await TestGateway.start(.sqlite(file)) { $0.outboxGrace = .milliseconds(100) }
            let client = gateway.client
            if round > 1 {
                try await eventually("it is forgotten") { gateway.transport.published.map(\.id) == ["e\(round - 1)"] }
                let earlier = try await client.post("/envelopes/e\(round - 1)/final", #"{"status":"succeeded"}"#)
                #expect(earlier.status == 200)
                #expect(try await client.send("DELETE", "/envelopes/e\(round - 1)").status == 204)
            }
            gateway.transport.fail(with: .init(.connectionLost, "away"))
            let answer = try await client.post(
                "/envelopes", #"{"id":"e\#(round)","route":{"actors":["a"]},"payload":{"b":1e400}}"#)
            #expect(answer.status == 202)
            let history = try await client.get("/envelopes/e\(round)/history")["updates"]?.elements.count
            #expect(history == 1)
            let stream = try await client.events("/envelopes/e\(round)/stream")
            for await event in stream.events where event.comment == nil {
                #expect(event.id ?? 0 > lastNumber)
                lastNumber = event.id ?? 0
                break
            }
            stream.hangUp()
            try await gateway.stop()
            await file.close()
        }
    }

    @Test("that a newer program has written is left alone, with what to do")
    func newer() async throws {
        try await withFile { store in
            try store.file.migrate("store", StoreTables.steps + [{ try $0.execute(sql: "CREATE TABLE future (n)") }])
            let error = await #expect(throws: GatewayStartError.self) { try await TestGateway.start(store.gateway) }
            #expect(error?.exitCode == 78)
            #expect(error?.message.contains("was written by a newer program") == true)
        }
    }

    /// A process that writes as much as it can, until it is killed in the middle.
    @Test("after a kill in the middle of writing all is there that had been answered, whole, and is sent")
    func killed() async throws {
        let folder = TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let (path, answered) = (folder.path + "/troupe.db", folder.path + "/answered")
        _ = FileManager.default.createFile(atPath: answered, contents: nil)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, answered = answered as String] in
            try await SQLiteStoreTests.writeUntilKilled(path, answered)
        }
        let ids = try String(contentsOfFile: answered, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(ids.count > 100)

        let file = try SQLiteFile(path: path)
        #expect(try await file.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") } == ["ok"])
        #expect(try await file.read { try Row.fetchAll($0, sql: "PRAGMA foreign_key_check").isEmpty })
        let gateway = try await TestGateway.start(.sqlite(file))
        let there = try await file.read { try String.fetchSet($0, sql: "SELECT id FROM envelopes") }
        #expect(there.isSuperset(of: ids))
        try await eventually("not all were sent") { Set(gateway.transport.published.map(\.id)) == there }
        #expect(gateway.transport.published.allSatisfy { $0.body.count > 3000 })
        try await gateway.stop()
        await file.close()
    }

    private static func writeUntilKilled(_ path: String, _ answered: String) async throws {
        let file = try SQLiteFile(path: path)
        try file.migrate("store", StoreTables.steps)
        let store = SQLiteDatabase(file: file).store
        let log = open(answered, O_WRONLY | O_APPEND)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0... {
                        let id = "e-\(writer)-\(number)"
                        let payload = RawJSON(string: String(repeating: "x", count: 3000))
                        let submission = try SubmissionRequest(route: ["a"], payload: payload, schedule: Schedule())
                            .submission(id: id)
                        _ = try await store.submit([submission], grace: .zero)
                        let line = Array("\(id)\n".utf8)
                        _ = write(log, line, line.count)
                        // The others are in the middle of something.
                        if writer == 0, number == 100 { kill(getpid(), SIGKILL) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    // MARK: Failures

    @Test("a disk that is full: nothing is half written, reports wait, and all goes on when there is room")
    func fullDisk() async throws {
        try await withGateway(.sqlite) { gateway, store in
            let file = try #require(store as? SQLiteTestStore).file
            let client = gateway.client
            func submit(_ id: String, _ size: Int = 1) async throws -> TestClient.Answer {
                let payload = String(repeating: "x", count: size)
                return try await client.post(
                    "/envelopes", #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":"\#(payload)"}"#)
            }
            #expect(try await submit("e").status == 202)
            try await file.write { database in
                let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
                try database.execute(sql: "PRAGMA max_page_count = \(pages)")
            }
            let refused = try await submit("large", 100_000)
            #expect(refused.status == 503)
            #expect(refused.code == "database_unavailable")
            #expect(try await client.get("/envelopes/large").status == 404)
            var last = report("e", "succeeded", event: "1")
            last.result = RawJSON(string: String(repeating: "y", count: 100_000))
            gateway.transport.report(last)
            try await Task.sleep(for: .milliseconds(500))
            #expect(gateway.transport.acknowledgedCount == 0)
            #expect(try await client.get("/envelopes/e")["status"]?.string == "pending")

            try await file.write { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
            try await eventually("the report is lost") { gateway.transport.acknowledgedCount == 1 }
            #expect(try await client.get("/envelopes/e")["status"]?.string == "succeeded")
            #expect(try await submit("large", 100_000).status == 202)
        }
    }

    @Test("what the tables will never take is dropped, and holds up nothing else")
    func refused() async throws {
        try await withGateway(.sqlite) { gateway, store in
            for id in ["bad", "good"] { _ = try await store.store.submit(submission(id), grace: .seconds(60)) }
            try await store.execute(
                """
                CREATE TRIGGER refuse BEFORE INSERT ON envelope_updates WHEN NEW.envelope_id = 'bad' AND NEW.event_id IS NOT NULL
                BEGIN SELECT RAISE(ABORT, 'no'); END
                """)
            for number in 0..<50 {
                gateway.transport.report(report(["bad", "good"][number % 2], "received", event: "\(number)"))
            }
            gateway.transport.report(report("good", "succeeded", event: "end"))
            try await eventually("it is held up") { gateway.transport.acknowledgedCount == 51 }
            #expect(try await gateway.client.get("/envelopes/good")["status"]?.string == "succeeded")
            #expect(try await gateway.client.get("/envelopes/bad")["status"]?.string == "pending")
            #expect(
                try await gateway.client.get("/metrics").text.contains(
                    #"troupe_gateway_status_reports_total{outcome="invalid"} 25"#))
        }
    }

    @Test("a call that fails leaves nothing behind, and no news; others that share its commit are not touched")
    func allOrNothing() async throws {
        try await withFile { store in
            let heard = Mutex<[String]>([])
            let listening = Task {
                await store.store.news.run { event in
                    if case .moved(let id) = event { heard.withLock { $0.append(id) } }
                }
            }
            try await store.execute(
                """
                CREATE TRIGGER refuse BEFORE INSERT ON outbox WHEN NEW.envelope_id = 'bad'
                BEGIN SELECT RAISE(ABORT, 'no'); END
                """)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let batch = try [submission("x\(number)"), submission(number % 2 == 0 ? "bad" : "y\(number)")]
                        do throws(StoreError) { _ = try await store.store.submit(batch, grace: .zero) } catch {
                            #expect(error.code == .refusedValues)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let expected = (0..<20).filter { $0 % 2 == 1 }.flatMap { ["x\($0)", "y\($0)"] }.sorted()
            #expect(try await store.texts("SELECT id FROM envelopes ORDER BY id") == expected)
            #expect(try await store.texts("SELECT envelope_id FROM payloads ORDER BY 1") == expected)
            #expect(try await store.texts("SELECT envelope_id FROM envelope_updates ORDER BY 1") == expected)
            #expect(heard.withLock { $0.sorted() } == expected)
            listening.cancel()
            await listening.value
        }
    }

    // MARK: Speed

    @Test("no statement reads a table as a whole")
    func plans() async throws {
        try await withFile { store in
            let statements = Mutex<Set<String>>([])
            let record: @Sendable (Database.TraceEvent) -> Void = { event in
                _ = statements.withLock { $0.insert(event.expandedDescription) }
            }
            try await store.file.write { $0.trace { record($0) } }
            // Each reader has a connection of its own; one after the other they use the same.
            try await store.file.read { $0.trace { record($0) } }
            try await useAll(store.store)
            try await store.file.write { $0.trace(nil) }
            let used = statements.withLock { $0 }.filter { $0.contains("envelope") || $0.contains("outbox") }
            #expect(used.count > 50)
            for sql in used.sorted() {
                let plan = try await store.file.read { database in
                    try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN \(sql)").map { $0["detail"] as String }
                }
                for step in plan {
                    let words = step.split(separator: " ")
                    let isScan = words.first == "SCAN" && !words.contains("USING") && !words.contains("VIRTUAL")
                    let isTable = words.count > 1 && Self.tables.contains(String(words[1]))
                    #expect(!(isScan && isTable) && !step.contains("AUTOMATIC"), "\(step) in \(sql)")
                }
            }
        }
    }

    private static let tables: Set<String> = [
        "envelopes", "e", "c", "envelope_updates", "u", "l", "outbox", "o", "payloads", "cancellations",
        "idempotency_keys",
    ]

    /// Calls everything that there is, with what makes it use all its statements.
    private func useAll(_ store: SQLiteEnvelopeStore) async throws {
        var keyed = try submission("keyed")
        keyed.key = IdempotencyKey(text: "k", digest: "d")
        keyed.schedule = try Schedule([.init(name: "timeout_seconds", value: RawJSON(integer: 1))])
        _ = try await store.submit([keyed, submission("e"), submission("f")], grace: .seconds(-1))
        _ = try await store.submit([keyed], grace: .zero)
        _ = try await store.takeDueMessages(limit: 1, lease: .seconds(1))
        var first = report("e", "received", event: "1")
        _ = try await store.apply([EnvelopeChange(first)])
        first.kind = .emitted
        first.events = [
            EmittedEvent(type: "progress", data: RawJSON(object: [.init(name: "percent", value: RawJSON(integer: 5))]))
        ]
        _ = try await store.append([PartialResults(first)], limit: 10)
        _ = try await store.takeDueMessages(limit: 10, lease: .seconds(1))
        _ = try await store.register([FanOutChild(id: "e-0.1", parentID: "e", actors: ["b"], actorIndex: 0)])
        _ = try await (store.timeToNextMessage(), store.outboxLength(within: .seconds(1), upTo: 10))
        try await store.postponeMessage(1, by: .zero)
        try await store.deleteMessages([99])
        try await store.deleteMessages(of: ["nobody"])
        _ = try await (store.envelope("e"), store.results(of: ["e"]), store.lastChanges(of: ["e"]), store.exists("e"))
        _ = try await (store.isActive("e"), store.childCounts(of: "e", limit: 10), store.family(of: "e", limit: 10))
        _ = try await (store.stepUpdates(of: "e", limit: 10), store.recentIDs(beginning: "e", limit: 10))
        _ = try await (store.overdue(grace: .zero, limit: 10), store.work(), store.rates())
        let place = EnvelopePlace(createdAt: 5, id: "e")
        for filter in [
            EnvelopeFilter(), EnvelopeFilter(status: .running), EnvelopeFilter(tool: "t"),
            EnvelopeFilter(parentID: "e"),
            EnvelopeFilter(status: .failed, actor: "a", since: 5, before: 10, isAscending: true),
        ] {
            _ = try await store.envelopes(filter, limit: 10)
            _ = try await store.envelopes(filter, after: place, limit: 10)
        }
        _ = try await (store.updates(of: "e", after: 0, limit: 10), store.lastUpdate())
        for filter in [
            UpdateFilter(), UpdateFilter(familyOf: "e", hasPartials: true), UpdateFilter(status: .failed, actor: "a"),
            UpdateFilter(tool: "t", parentID: "e"),
        ] {
            _ = try await store.updates(filter, after: 0, upTo: 100, limit: 10)
        }
        #expect(try await store.cancel("e") == 2)
        _ = try await (store.unannouncedCancellations(limit: 10), store.latestCancellations(limit: 10))
        try await store.markAnnounced(["e"])
        try await store.announceAgain(["e"])
        try await store.forgetCancellations(of: ["e"])
        try await store.forgetOldCancellations()
        let known = try #require(try await store.retryable("e"))
        guard case .send(let envelope) = try Retry.plan(known, from: .beginning, now: 0) else { return }
        #expect(try await store.reopen(with: envelope, message: "again", grace: .zero) != nil)
        _ = try await store.apply([EnvelopeChange(report("f", "succeeded", event: "2"))])
        #expect(try await store.delete("f") == .deleted)
        _ = try await store.deleteEnded(olderThan: .zero, after: nil, limit: 10)
        try await store.deleteIdempotencyKeys(olderThan: .zero)
    }
}
