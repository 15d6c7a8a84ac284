import Envelopes
import PostgreSQL
import Testing

@testable import Gateways

@Suite("Store", .serialized)
struct StoreTests {
    private func submission(_ id: String, actors: [String] = ["a", "b"], payload: String = "{}") throws -> Submission {
        try SubmissionRequest(
            RawJSON(
                Array(
                    #"{"id":"\#(id)","route":{"actors":[\#(actors.map { "\"\($0)\"" }.joined(separator: ","))]},"payload":\#(payload)}"#
                        .utf8)
            ).members
        ).submission()
    }

    private func progress(_ id: String, _ status: String, at index: Int = 0, event: String = "", parent: String? = nil)
        throws -> EnvelopeChange
    {
        try EnvelopeChange(
            StatusReport(
                kind: .progress, eventID: event, envelopeID: id, parentID: parent, status: status, actors: ["a", "b"],
                currentActorIndex: index))
    }

    private func final(_ id: String, _ status: String, result: String = "1") throws -> EnvelopeChange {
        try EnvelopeChange(
            StatusReport(
                kind: .final, eventID: "", envelopeID: id, status: status, actors: ["a", "b"], currentActorIndex: 2,
                result: RawJSON(Array(result.utf8)), error: status == "failed" ? "boom" : nil))
    }

    @Test("payload and result keep every byte", arguments: StoreKind.allCases)
    func bytes(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let exact =
                #"{"b":12345678901234567890,"a": 1e400 ,"a":"\u0000\ud800 ü🎭","deep":\#(String(repeating: "[", count: 500) + String(repeating: "]", count: 500))}"#
            let store = database.store
            _ = try await store.submit(submission("e", payload: exact), grace: .zero)
            _ = try await store.apply([final("e", "succeeded", result: exact)])
            let envelope = try #require(try await store.envelope("e"))
            #expect(envelope.payload == Array(exact.utf8))
            #expect(envelope.result == Array(exact.utf8))
            let page = try #require(try await store.updates(of: "e", after: 0, limit: 10))
            #expect(page.updates.last?.result == Array(exact.utf8))
            #expect(page.isFinal)
        }
    }

    @Test("a second submission of an id changes nothing", arguments: StoreKind.allCases)
    func duplicate(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            let first = try await store.submit(submission("e", payload: "1"), grace: .zero)
            let second = try await store.submit(submission("e", payload: "2"), grace: .zero)
            #expect(first != nil)
            #expect(second == nil)
            #expect(try await store.envelope("e")?.payload == Array("1".utf8))
            #expect(try await database.outboxLength() == 1)
        }
    }

    @Test("of many ends at the same time one counts", arguments: StoreKind.allCases)
    func concurrentEnds(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            for round in 0..<10 {
                _ = try await store.submit(submission("e\(round)"), grace: .zero)
                let outcomes = try await withThrowingTaskGroup(of: [ChangeOutcome].self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            try await store.apply([
                                self.final("e\(round)", number % 2 == 0 ? "succeeded" : "failed", result: "\(number)")
                            ])
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(outcomes.count { $0 == .applied(percent: 100) } == 1)
                let page = try #require(try await store.updates(of: "e\(round)", after: 0, limit: 100))
                #expect(page.updates.count { $0.status.isFinal } == 1)
                #expect(page.updates.last?.status.isFinal == true)
            }
        }
    }

    @Test(
        "ids of updates grow in the order of commits, and progress never falls, under concurrent writers",
        arguments: StoreKind.allCases)
    func orderOfUpdates(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            _ = try await store.submit(submission("e"), grace: .zero)
            // A reader that only looks at what is committed must never see an id below one it has seen.
            let reader = Task {
                var seen: Int64 = 0
                var order: [Int64] = []
                while !Task.isCancelled {
                    guard let page = try await store.updates(of: "e", after: seen, limit: 100) else { break }
                    order += page.updates.map(\.id)
                    seen = order.last ?? 0
                    if page.isFinal && !page.isFull { break }
                }
                return order
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<25 {
                            _ = try await store.apply([
                                self.progress("e", "processing", at: number % 2, event: "\(writer)-\(number)")
                            ])
                        }
                    }
                }
                try await group.waitForAll()
            }
            _ = try await store.apply([final("e", "succeeded")])
            let order = try await reader.value
            #expect(order.count == 102)
            let all = try #require(try await store.updates(of: "e", after: 0, limit: 1000)).updates
            #expect(all.map(\.id) == order)
            #expect(zip(all, all.dropFirst()).allSatisfy { ($0.percent ?? 0) <= ($1.percent ?? 0) })
        }
    }

    @Test(
        "a report that two gateways write at the same time counts once, and none overwrites a later one",
        arguments: StoreKind.allCases)
    func concurrentRepeats(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            for round in 0..<10 {
                let id = "e\(round)"
                _ = try await store.submit(submission(id), grace: .zero)
                let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            var applied = 0
                            for step in 0..<10 {
                                var change = try self.progress(id, "processing", event: "\(step)")
                                change.message = "step \(step)"
                                if case .applied = try await store.apply([change])[0] { applied += 1 }
                            }
                            return applied
                        }
                    }
                    return try await group.reduce(0, +)
                }
                #expect(applied == 10)
                let updates = try #require(try await store.updates(of: id, after: 0, limit: 100)).updates
                #expect(updates.dropFirst().map(\.message) == (0..<10).map { "step \($0)" })
                #expect(try await store.envelope(id)?.message == "step 9")
            }
        }
    }

    @Test(
        "a batch holds several reports of one envelope, in order, and repeated ones count once",
        arguments: StoreKind.allCases)
    func batch(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            _ = try await store.submit(submission("e"), grace: .zero)
            _ = try await store.submit(submission("f"), grace: .zero)
            let changes = [
                try progress("e", "received", event: "1"), try progress("f", "received", event: "1"),
                try progress("e", "processing", event: "2"), try progress("e", "processing", event: "2"),
                try final("e", "succeeded"), try progress("e", "completed", at: 1, event: "3"),
                try progress("nobody", "received"),
            ]
            #expect(
                try await store.apply(changes) == [
                    .applied(percent: 5), .applied(percent: 5), .applied(percent: 25), .ignored(percent: 25),
                    .applied(percent: 100),
                    .ignored(percent: 100), .unknown,
                ])
            let updates = try #require(try await store.updates(of: "e", after: 0, limit: 100)).updates
            #expect(updates.map(\.phase) == [nil, "received", "processing", nil])
        }
    }

    @Test("children are registered once, inherit the deadline, and are listed in order", arguments: StoreKind.allCases)
    func children(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            var parent = try submission("p")
            parent.schedule = try Schedule([.init(name: "deadline", value: RawJSON(string: "2050-01-01T00:00:00Z"))])
            _ = try await store.submit(parent, grace: .zero)
            let children = (1...3).map { FanOutChild(id: "p-\($0)", parentID: "p", actors: ["a", "b"], actorIndex: 1) }
            _ = try await store.register(children)
            _ = try await store.register(
                children + [FanOutChild(id: "p-1", parentID: "other", actors: [], actorIndex: 0)])
            let listed = try await store.envelopes(EnvelopeFilter(parentID: "p", isAscending: true), limit: 10)
            #expect(listed.map(\.id) == ["p-1", "p-2", "p-3"])
            #expect(
                listed.allSatisfy {
                    $0.status == .pending && $0.actorName == "b" && $0.deadline == 2_524_608_000_000_000
                })
            #expect(try await store.envelopes(EnvelopeFilter(parentID: "p", isAscending: true), limit: 2).count == 2)
            #expect(try await database.outboxLength() == 1)
        }
    }

    @Test("a child's report that overtakes its registration registers it", arguments: StoreKind.allCases)
    func overtaking(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            let outcomes = try await store.apply([progress("c", "received", parent: "p")])
            #expect(outcomes == [.applied(percent: 5)])
            _ = try await store.register([FanOutChild(id: "c", parentID: "p", actors: ["a", "b"], actorIndex: 0)])
            let envelope = try #require(try await store.envelope("c"))
            #expect(envelope.parentID == "p")
            #expect(envelope.status == .running)
        }
    }

    @Test("batches of several gateways that hold the same envelopes in different order don't deadlock")
    func noDeadlock() async throws {
        try await withDatabase { database in
            let store = database.store
            let ids = (0..<20).map { "e\($0)" }
            for id in ids { _ = try await store.submit(submission(id), grace: .zero) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<10 {
                            let changes = try ids.shuffled().map {
                                try self.progress($0, "processing", event: "\(writer)-\(number)")
                            }
                            let outcomes = try await database.store.apply(changes)
                            #expect(outcomes.allSatisfy { $0 == .applied(percent: 25) })
                        }
                    }
                }
                try await group.waitForAll()
            }
            let rows = try await database.pool.query(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            #expect(try rows[0].integer(0) == 0)
        }
    }

    @Test("texts with NUL, quotes and SQL in them are stored as texts", arguments: StoreKind.allCases)
    func hostileTexts(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            _ = try await store.submit(submission("e"), grace: .zero)
            var change = try progress("e", "processing")
            change.message = "a\0b'; DROP TABLE envelopes; --\"\\"
            change.actorName = "\0"
            change.error = "\0"
            #expect(try await store.apply([change]) == [.applied(percent: 25)])
            #expect(try await store.envelope("e")?.message == "a\u{FFFD}b'; DROP TABLE envelopes; --\"\\")
        }
    }

    @Test("the schema's version is checked")
    func schemaVersion() async throws {
        try await withDatabase { database in
            #expect(try await SchemaVersion.check(database.pool) == .fits)
            try await database.pool.query("UPDATE troupe_schema SET version = version + 1")
            #expect(try await SchemaVersion.check(database.pool) == .newer(SchemaVersion.required + 1))
            try await database.pool.query("DELETE FROM troupe_schema")
            #expect(try await SchemaVersion.check(database.pool) == .missing)
        }
    }
}
