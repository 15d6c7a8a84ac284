import ActorKit
import EventLoops
import Foundation
import PostgreSQL
import SQLite
import TestSupport
import Testing

@testable import Crew

/// Against a real PostgreSQL, and against a file.
@Suite(.serialized)
struct FanInStoreTests {
    private func withStore(
        _ kind: FanInStoreKind, _ limits: FanInLimits = FanInLimits(),
        _ body: (any FanInStore, any FanInStorage) async throws -> Void
    ) async throws {
        try await withFanInStorage(kind, limits) { try await body($0.store, $0) }
    }

    private func piece(
        _ index: Int?, of count: Int, id: String? = nil, group: String = "g", attempt: String = "0.0",
        timeout: Duration? = nil, releasesPartial: Bool = false
    ) -> FanInPiece {
        FanInPiece(
            group: group, count: count, index: index, envelopeID: id ?? "e-\(index ?? -1)", attempt: attempt,
            isOfFanOut: true, timeout: timeout, releasesPartial: releasesPartial)
    }

    private func json(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

    /// As if the deadline had come.
    private func passDeadline(_ storage: any FanInStorage) async throws {
        try await storage.execute("UPDATE fan_in_groups SET deadline = created_at")
    }

    @Test(arguments: FanInStoreKind.allCases)
    func theListHasEveryByteInTheOrderOfTheChildren(kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, _ in
            let payloads = [
                #"{"b":12345678901234567890, "a":1e400,"a":"\u0000\ud800 ü🎭"}"#, "null", #""x""#, "[ 1 , 2 ]", "-0.0",
                String(repeating: "[", count: 500) + String(repeating: "]", count: 500),
            ]
            for index in payloads.indices.reversed() {
                let group = try await store.arrive(piece(index, of: payloads.count), json(payloads[index]))
                #expect(group.arrived == payloads.count - index && group.place == index)
                #expect(group.outcome == (index == 0 ? .released : nil))
            }
            #expect(try await store.list(piece(0, of: 6)).description == "[\(payloads.joined(separator: ","))]")
            #expect(try await store.missing(piece(0, of: 6)) == [])
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func aPieceThatComesTwiceCountsOnceWithItsFirstPayload(kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, _ in
            for payload in ["1", "2", "3"] {
                let group = try await store.arrive(piece(1, of: 2), json(payload))
                #expect(group.arrived == 1 && group.place == 1 && group.owner == "e-1")
            }
            _ = try await store.arrive(piece(0, of: 2), json("0"))
            #expect(try await store.list(piece(0, of: 2)).description == "[0,1]")
        }
    }

    /// Two replicas, many at a time, everything twice and in any order, the carriers again and again.
    @Test(arguments: 0..<3, FanInStoreKind.allCases)
    func replicasNeverDisagree(seed: UInt64, kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, storage in
            let stores = [store, storage.other]
            let (groups, count) = (10, 30)
            var generator = SeededGenerator(seed: seed)
            var arrivals: [(group: Int, index: Int)] = []
            for group in 0..<groups {
                for index in 0..<count { arrivals += [(group, index), (group, index)] }
                arrivals += Array(repeating: (group, 0), count: 10)
            }
            arrivals.shuffle(using: &generator)
            let expected = "[\((0..<count).map(String.init).joined(separator: ","))]"
            let lists = try await withThrowingTaskGroup(of: String?.self) { tasks in
                for (number, arrival) in arrivals.enumerated() {
                    tasks.addTask {
                        let piece = piece(arrival.index, of: count, group: "g\(arrival.group)")
                        let store = stores[number % 2]
                        let group = try await store.arrive(piece, RawJSON(integer: arrival.index))
                        guard FanInDecision(piece, in: group) == .release(isPartial: false) else { return nil }
                        return try await store.list(piece).description
                    }
                }
                return try await tasks.reduce(into: [String]()) { if let list = $1 { $0.append(list) } }
            }
            #expect(lists.allSatisfy { $0 == expected })
            for group in 0..<groups {
                let state = try await store.arrive(piece(0, of: count, group: "g\(group)"), .null)
                #expect(state.outcome == .released && state.arrived == count)
            }
            #expect(try await storage.count("SELECT count(*) FROM fan_in_pieces") == groups * count)
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func piecesWithoutAPlaceAreNumberedAsTheyComeAndTheFirstCarries(kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, _ in
            var orders: Set<Int> = []
            try await withThrowingTaskGroup(of: (Int?, Bool).self) { tasks in
                for number in 0..<60 {
                    tasks.addTask {
                        // Each twice.
                        let piece = piece(nil, of: 30, id: "e\(number / 2)")
                        let group = try await store.arrive(piece, RawJSON(integer: number / 2))
                        return (group.place, FanInDecision(piece, in: group) == .collect)
                    }
                }
                for try await (place, isCollected) in tasks {
                    orders.insert(try #require(place))
                    #expect(isCollected == (place != 0))
                }
            }
            #expect(orders == Set(0..<30))
            let surplus = piece(nil, of: 30, id: "one more")
            let group = try await store.arrive(surplus, .null)
            guard case .refuse(let error) = FanInDecision(surplus, in: group) else {
                Issue.record("one too many was taken")
                return
            }
            #expect(error.code == .late)
            let list = try await store.list(surplus)
            #expect(Set(list.elements.compactMap(\.integer)) == Set(0..<30))
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func whatIsReleasedWithGapsStaysAsItWas(kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, storage in
            func arrive(_ index: Int) async throws -> (FanInDecision, FanInGroup) {
                let piece = piece(index, of: 4, timeout: .seconds(60), releasesPartial: true)
                let group = try await store.arrive(piece, RawJSON(integer: index))
                return (FanInDecision(piece, in: group), group)
            }
            let first = try await arrive(0)
            guard case .hold = first.0 else {
                Issue.record("it does not wait")
                return
            }
            #expect(first.1.left > .seconds(50) && first.1.left <= .seconds(60))
            try await passDeadline(storage)
            // As long as nothing has been released, nobody is late.
            #expect(try await arrive(2).0 == .collect)
            for _ in 0..<2 {
                #expect(try await arrive(0).0 == .release(isPartial: true))
                guard case .refuse(let error) = try await arrive(3).0 else {
                    Issue.record("it was taken after the release")
                    return
                }
                #expect(error.code == .late)
                // One that is in the list is not late, however often it comes.
                #expect(try await arrive(2).0 == .collect)
                #expect(try await store.list(piece(0, of: 4)).description == "[0,null,2,null]")
                #expect(try await store.missing(piece(0, of: 4)) == [1, 3])
            }
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func aFailureStandsForItsAttemptAndALaterOneFindsWhatWasMissing(kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, storage in
            func decision(_ index: Int, attempt: String = "0.0") async throws -> FanInDecision {
                let piece = piece(index, of: 2, attempt: attempt)
                return FanInDecision(piece, in: try await store.arrive(piece, RawJSON(integer: index)))
            }
            guard case .hold = try await decision(0) else {
                Issue.record("it does not wait")
                return
            }
            try await passDeadline(storage)
            #expect(try await decision(0) == .fail)
            #expect(try await decision(0, attempt: "0.1") == .fail)
            // What comes now is kept for a replay; the attempt that failed stays failed, however often it is delivered.
            #expect(try await decision(1) == .collect)
            #expect(try await decision(0, attempt: "0.1") == .fail)
            #expect(try await decision(0, attempt: "1.0") == .release(isPartial: false))
            #expect(try await decision(0, attempt: "1.0") == .release(isPartial: false))
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func aGroupThatGrowsTooLargeFailsAtOnce(kind: FanInStoreKind) async throws {
        try await withStore(kind, FanInLimits(groupBytes: 100)) { store, _ in
            func arrive(_ index: Int, _ size: Int) async throws -> FanInDecision {
                let piece = piece(index, of: 3)
                let text = "\"\(String(repeating: "x", count: size - 2))\""
                return FanInDecision(piece, in: try await store.arrive(piece, json(text)))
            }
            func code(_ decision: FanInDecision) -> FanInError.Code? {
                if case .refuse(let error) = decision { error.code } else { nil }
            }
            guard case .hold = try await arrive(0, 40) else {
                Issue.record("it does not wait")
                return
            }
            #expect(code(try await arrive(1, 59)) == .tooLarge)
            #expect(code(try await arrive(0, 40)) == .tooLarge)
            #expect(code(try await arrive(1, 59)) == .tooLarge)
            // The comma behind each counts too: 41 + 59 are exactly as many as may be.
            #expect(try await arrive(2, 58) == .collect)
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func whoContradictsTheGroupChangesNothing(kind: FanInStoreKind) async throws {
        try await withStore(kind) { store, storage in
            _ = try await store.arrive(piece(1, of: 3), .null)
            for other in [piece(0, of: 4), piece(nil, of: 3, id: "x"), piece(1, of: 3, id: "x")] {
                guard case .refuse(let error) = FanInDecision(other, in: try await store.arrive(other, .null)) else {
                    Issue.record("\(other) was taken")
                    return
                }
                #expect(error.code == .header)
            }
            #expect(try await storage.count("SELECT arrived FROM fan_in_groups") == 1)
            #expect(try await storage.count("SELECT count(*) FROM fan_in_pieces") == 1)
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func noTimeoutIsLongerThanTheSetting(kind: FanInStoreKind) async throws {
        try await withStore(kind, FanInLimits(timeout: .seconds(100))) { store, _ in
            func left(_ group: String, _ timeout: Duration? = nil) async throws -> Double {
                try await store.arrive(piece(1, of: 2, group: group, timeout: timeout), .null).left.inSeconds
            }
            let (unsaid, longer) = (try await left("a"), try await left("b", .seconds(1000)))
            let (shorter, second) = (try await left("c", .milliseconds(1500)), try await left("a", .seconds(1)))
            #expect((90...100).contains(unsaid) && (90...100).contains(longer) && (0...1.5).contains(shorter))
            // Who comes first says how long.
            #expect((90...100).contains(second))
        }
    }

    @Test(arguments: FanInStoreKind.allCases)
    func outdatedGroupsGoInBatches(kind: FanInStoreKind) async throws {
        let limits = FanInLimits(timeout: .seconds(10), retention: .seconds(100))
        try await withStore(kind, limits) { store, storage in
            for number in 0..<50 {
                _ = try await store.arrive(piece(0, of: 1, group: "decided-\(number)"), .null)
                _ = try await store.arrive(piece(1, of: 2, group: "waiting-\(number)"), .null)
            }
            func age(_ groups: String, _ column: String, by seconds: Int) async throws {
                try await storage.execute(
                    "UPDATE fan_in_groups SET \(column) = \(storage.earlier(column, by: seconds)) WHERE id LIKE '\(groups)'"
                )
            }
            func left() async throws -> [Int] {
                [
                    try await storage.count("SELECT count(*) FROM fan_in_groups"),
                    try await storage.count("SELECT count(*) FROM fan_in_pieces"),
                ]
            }
            // Nobody has carried it away yet, so age alone does not make it outdated.
            try await age("decided-%", "created_at", by: 1000)
            try await age("waiting-%", "created_at", by: 100)
            await FanInSweep(store: store, log: Log(level: .critical)).sweep()
            #expect(try await left() == [100, 100])
            try await age("decided-%", "decided_at", by: 101)
            try await age("waiting-1%", "created_at", by: 11)
            await FanInSweep(store: store, log: Log(level: .critical)).sweep()
            #expect(try await left() == [39, 39])
        }
    }

    /// A piece may arrive in the moment in which its group goes: it begins a new one.
    @Test(arguments: FanInStoreKind.allCases)
    func arrivalsAndDeletionsMeet(kind: FanInStoreKind) async throws {
        try await withStore(kind, FanInLimits(timeout: .zero, retention: .zero)) { store, _ in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 0..<300 {
                    tasks.addTask {
                        let group = try await store.arrive(piece(0, of: 2, group: "g\(number % 3)"), .null)
                        #expect(group.place == 0)
                    }
                    tasks.addTask { _ = try await store.deleteOutdated(limit: 20) }
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test func aDatabaseWithoutItsTablesIsRefusedAtStartWithTheCommand() async throws {
        let empty = try await TestDatabase.empty()
        let store = PostgreSQLFanInStore(pool: empty.pool, limits: FanInLimits())
        let error = await #expect(throws: StartError.self) {
            try await store.open(log: Log(level: .critical), patience: .seconds(30))
        }
        #expect(error?.exitCode == 78)
        #expect(error?.message.contains("sqitch --chdir gateway-schema deploy --verify") == true)
        try await empty.drop()

        try await withStore(.postgreSQL) { store, _ in
            try await store.open(log: Log(level: .critical), patience: .seconds(30))
        }
    }

    @Test func aDatabaseThatIsAwayIsWaitedForAtStart() async throws {
        let pool = Pool(
            PoolSettings(connection: ConnectionSettings(url: "postgresql://u:hunter2@127.0.0.1:1/x")),
            on: TestDatabase.loop)
        let store = PostgreSQLFanInStore(pool: pool, limits: FanInLimits())
        let error = await #expect(throws: StartError.self) {
            try await store.open(log: Log(level: .critical), patience: .milliseconds(300))
        }
        #expect(error?.exitCode == 69)
        #expect(error?.message.contains("no database for 300ms") == true)
        #expect(error?.message.contains("hunter2") == false)
        await pool.close()
    }

    @Test func aFileIsForOneProcessAndTheNextOneWaitsForIt() async throws {
        let folder = TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let path = folder.path + "/fan-in.db"
        let first = try SQLiteFile(path: path)
        let store = SQLiteFanInStore(path: path, limits: FanInLimits())
        let error = await #expect(throws: StartError.self) {
            try await store.open(log: Log(level: .critical), patience: .milliseconds(300))
        }
        #expect(error?.exitCode == 69)
        #expect(error?.message.contains("pid \(ProcessInfo.processInfo.processIdentifier)") == true)
        let ending = Task {
            try await Task.sleep(for: .milliseconds(300))
            await first.close()
        }
        try await store.open(log: Log(level: .critical), patience: .seconds(30))
        try await ending.value
        #expect(try await store.arrive(piece(0, of: 1), .null).outcome == .released)
    }

    @Test func aFileThatCannotBeOpenedIsNamed() async throws {
        let store = SQLiteFanInStore(path: "/nowhere/fan-in.db", limits: FanInLimits())
        let error = await #expect(throws: StartError.self) {
            try await store.open(log: Log(level: .critical), patience: .seconds(30))
        }
        #expect(error?.message.hasPrefix("TROUPE_FAN_IN_FILE: '/nowhere/fan-in.db") == true)
    }
}

struct FanInSettingsTests {
    private let url = ["TROUPE_DATABASE_URL": "postgresql://localhost/x"]

    private func settings(_ environment: [String: String]) throws -> FanInSettings {
        try FanInSettings(environment: url.merging(environment) { $1 })
    }

    @Test func defaultsAndOwnValues() throws {
        #expect(try settings([:]).limits == FanInLimits())
        let limits = try settings([
            "TROUPE_FAN_IN_TIMEOUT": "2h", "ASYA_FAN_IN_RETENTION": "7d", "TROUPE_MAX_MESSAGE_BYTES": "1600000",
        ]).limits
        #expect(limits == FanInLimits(timeout: .seconds(7200), retention: .seconds(604_800), groupBytes: 1_500_000))
        #expect(try settings(["TROUPE_FAN_IN_MAX_GROUP_BYTES": "5000"]).limits.groupBytes == 5000)
    }

    @Test func aFileInPlaceOfADatabase() throws {
        let settings = try FanInSettings(environment: ["TROUPE_FAN_IN_FILE": "/data/fan-in.db"])
        guard case .file("/data/fan-in.db") = settings.storage else {
            Issue.record("\(settings.storage)")
            return
        }
        let error = #expect(throws: StartError.self) { try self.settings(["TROUPE_FAN_IN_FILE": "/data/fan-in.db"]) }
        #expect(error?.message.contains("TROUPE_FAN_IN_FILE: is set, and so is TROUPE_DATABASE_URL") == true)
    }

    @Test(arguments: [
        ("TROUPE_DATABASE_URL", ""), ("TROUPE_DATABASE_URL", "nonsense"), ("TROUPE_DATABASE_POOL_SIZE", "0"),
        ("TROUPE_FAN_IN_TIMEOUT", "31d"), ("TROUPE_FAN_IN_TIMEOUT", "0"), ("TROUPE_FAN_IN_RETENTION", "-1s"),
        ("TROUPE_FAN_IN_MAX_GROUP_BYTES", "67108865"), ("TROUPE_FAN_IN_MAX_GROUP_BYTES", "x"),
    ])
    func wrongSettingsAreRefusedByName(name: String, value: String) {
        let error = #expect(throws: StartError.self) { try settings([name: value]) }
        #expect(error?.message.contains(name) == true && error?.exitCode == 78)
    }
}
