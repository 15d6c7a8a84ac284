import Envelopes
import Synchronization
import TestSupport
import Testing

@testable import Gateways

@Suite("Statements of many")
struct SharedStatementTests {
    // MARK: Which calls go together

    @Test("who comes alone begins at once; who comes meanwhile goes together")
    func batches() {
        var batches = SharedBatches<Int>(atOnce: 1, weight: 100)
        #expect(batches.add(1, names: ["a"], weight: 10) == [1])
        #expect(batches.add(2, names: ["b"], weight: 10) == nil)
        #expect(batches.add(3, names: ["c"], weight: 10) == nil)
        #expect(batches.ended() == [2, 3])
        #expect(batches.ended() == nil)
        #expect(batches.add(4, names: ["a"], weight: 10) == [4])
    }

    @Test("some are under way side by side")
    func sideBySide() {
        var batches = SharedBatches<Int>(atOnce: 2, weight: 100)
        #expect(batches.add(1, names: [], weight: 1) == [1])
        #expect(batches.add(2, names: [], weight: 1) == [2])
        #expect(batches.add(3, names: [], weight: 1) == nil)
        #expect(batches.ended() == [3])
        #expect(batches.ended() == nil)
        #expect(batches.add(4, names: [], weight: 1) == [4])
    }

    @Test("what has a name in common, or weighs too much, goes with a later one, in order")
    func apart() {
        var batches = SharedBatches<Int>(atOnce: 1, weight: 100)
        #expect(batches.add(0, names: [], weight: 1) == [0])
        for (call, names, weight) in [
            (1, ["a"], 10), (2, ["b", "a"], 10), (3, ["c"], 10), (4, ["d"], 90), (5, ["e"], 500), (6, ["f"], 1),
        ] {
            #expect(batches.add(call, names: Set(names), weight: weight) == nil)
        }
        #expect(batches.ended() == [1])
        #expect(batches.ended() == [2, 3])
        #expect(batches.ended() == [4])
        #expect(batches.ended() == [5])
        #expect(batches.ended() == [6])
        #expect(batches.ended() == nil)
    }

    // MARK: What callers hear

    /// Refuses what is negative, and remembers what it was given. The first statement waits until the gate is opened.
    private final class Table: Sendable {
        let statements = Mutex<[[Int]]>([])
        let gate = AsyncStream.makeStream(of: Void.self)

        func execute(_ items: [Int]) async throws(StoreError) -> [String] {
            let isFirst = statements.withLock { statements in
                statements.append(items)
                return statements.count == 1
            }
            if isFirst { for await _ in gate.stream { break } }
            if items.contains(where: { $0 < 0 }) { throw StoreError(.refusedValues, "negative") }
            if items.contains(999) { throw StoreError(.unavailable, "away") }
            return items.map { "\($0)" }
        }
    }

    /// What each caller hears, when all of them have come while the first one is under way.
    private func outcomes(_ calls: [[Int]], _ table: Table) async throws -> [Result<[String], StoreError>] {
        let statement = SharedStatement<Int, String>(atOnce: 1)
        return try await withThrowingTaskGroup(of: (Int, Result<[String], StoreError>).self) { group in
            func add(_ index: Int) {
                group.addTask {
                    do throws(StoreError) {
                        return (
                            index,
                            .success(
                                try await statement.run(calls[index], names: [], weight: 1) {
                                    (items) async throws(StoreError) in try await table.execute(items)
                                })
                        )
                    } catch { return (index, .failure(error)) }
                }
            }
            add(0)
            try await eventually("the first one did not begin") { !table.statements.withLock(\.isEmpty) }
            for index in calls.indices.dropFirst() { add(index) }
            try await Task.sleep(for: .milliseconds(100))
            table.gate.continuation.finish()
            var results: [Int: Result<[String], StoreError>] = [:]
            for try await (index, result) in group { results[index] = result }
            return calls.indices.compactMap { results[$0] }
        }
    }

    @Test("each hears of its own, with one statement for all that waited")
    func own() async throws {
        let table = Table()
        let heard = try await outcomes([[1], [2, 3], [], [4]], table)
        #expect(heard == [.success(["1"]), .success(["2", "3"]), .success([]), .success(["4"])])
        #expect(table.statements.withLock { $0.map { $0.sorted() } } == [[1], [2, 3, 4]])
    }

    @Test("what is refused fails for who has brought it, and for nobody else")
    func refused() async throws {
        let heard = try await outcomes([[0]] + (1...20).map { [$0 == 13 ? -13 : $0] }, Table())
        for (index, result) in heard.enumerated() {
            if index == 13 {
                #expect(result == .failure(StoreError(.refusedValues, "negative")))
            } else {
                #expect(result == .success(["\(index)"]))
            }
        }
    }

    @Test("a database that is away is so for all, and asked once")
    func away() async throws {
        let table = Table()
        let heard = try await outcomes([[1], [2], [999], [3]], table)
        #expect(heard[0] == .success(["1"]))
        #expect(heard.dropFirst().allSatisfy { $0 == .failure(StoreError(.unavailable, "away")) })
        #expect(table.statements.withLock(\.count) == 2)
    }

    @Test("a caller that goes takes nobody with it")
    func cancelled() async throws {
        let table = Table()
        let statement = SharedStatement<Int, String>(atOnce: 1)
        let execute: SharedStatement<Int, String>.Execute = { (items) async throws(StoreError) in
            try await table.execute(items)
        }
        let first = Task { try await statement.run([1], names: [], weight: 1, execute) }
        try await eventually("the first one did not begin") { !table.statements.withLock(\.isEmpty) }
        let second = Task { try await statement.run([2], names: [], weight: 1, execute) }
        try await Task.sleep(for: .milliseconds(50))
        first.cancel()
        table.gate.continuation.finish()
        #expect(try await second.value == ["2"])
    }

    // MARK: In the database

    private func submission(_ id: String, key: String? = nil) throws -> Submission {
        var submission = try SubmissionRequest(
            RawJSON(Array(#"{"id":"\#(id)","route":{"actors":["a"]},"payload":1}"#.utf8)).members
        ).submission()
        submission.key = key.map { IdempotencyKey(text: $0, digest: "d") }
        submission.answer = RawJSON(string: id)
        return submission
    }

    @Test("many submissions at once: each id and each key counts once, and what is refused harms nobody")
    func submissions() async throws {
        try await withDatabase { database in
            let store = database.store
            let count = 300
            var submissions = try (0..<count).map { try submission("e\($0 % 250)", key: $0 % 3 == 0 ? "k\($0)" : nil) }
            // No message looks like that: the table refuses it.
            for index in [117, 199] { submissions[index].messageHead = Array("nonsense".utf8) }
            let outcomes = await withTaskGroup(of: (Int, Result<SubmissionOutcome, StoreError>).self) { group in
                for (index, submission) in submissions.enumerated() {
                    group.addTask {
                        do throws(StoreError) {
                            return (index, .success(try await store.submit([submission], grace: .zero)[0]))
                        } catch { return (index, .failure(error)) }
                    }
                }
                var outcomes: [Int: Result<SubmissionOutcome, StoreError>] = [:]
                for await (index, outcome) in group { outcomes[index] = outcome }
                return outcomes
            }
            for index in [117, 199] { #expect(throws: StoreError.self) { try outcomes[index]?.get() } }
            var accepted: [String: Int] = [:]
            for (index, outcome) in outcomes where ![117, 199].contains(index) {
                if case .accepted = try outcome.get() { accepted[submissions[index].id, default: 0] += 1 }
            }
            #expect(accepted.count == 248)
            #expect(accepted.values.allSatisfy { $0 == 1 })
            #expect(try await database.count("SELECT count(*) FROM envelopes") == 248)
            #expect(try await database.outboxLength() == 248)
        }
    }
}
