import ActorKit
import EventLoops
import PostgreSQL
import TestSupport
import Testing

@testable import Crew

/// The handler with a real database, which is away now and then.
@Suite(.serialized)
struct FanInHandlerTests {
    private func handle(_ fanIn: FanIn, _ envelope: Envelope) async throws -> [Envelope] {
        try await fanIn.handle(
            envelope, Context(id: envelope.id, route: envelope.route, log: Log(level: .critical)))
    }

    private func child(_ index: Int, of count: Int, parent: String = "e", header: String = "{}") throws -> Envelope {
        let place = FanOutPlace(parentID: parent, round: 0, index: index, count: count).json
        return try fanInEnvelope(
            index == 0 ? parent : "\(parent)-\(index)",
            headers: #"{"troupe-fan-in":\#(header),"troupe-fan-out":[\#(place)]}"#, payload: "\(index)")
    }

    @Test(arguments: FanInStoreKind.allCases)
    func childrenBecomeOneEnvelope(kind: FanInStoreKind) async throws {
        try await withFanInStorage(kind) { storage in
            let fanIn = FanIn(store: storage.store)
            let waiting = try await handle(fanIn, child(0, of: 3))
            #expect(waiting.map(\.id) == ["e"] && waiting[0].route.currentActor == "fan-in")
            #expect(waiting[0].headers["troupe-delay-ms"]?.integer == 50)
            #expect(waiting[0].payload.description == "0")
            #expect(try await handle(fanIn, child(2, of: 3)) == [])
            #expect(try await handle(fanIn, child(1, of: 3)) == [])
            let released = try await handle(fanIn, child(0, of: 3))
            #expect(released.map(\.id) == ["e"] && released[0].route.currentActor == "summary")
            #expect(released[0].payload.description == "[0,1,2]")
            #expect(released[0].headers[Headers.fanOut]?.description == "[]")
            // Delivered once more after a crash.
            #expect(try await handle(fanIn, child(0, of: 3)) == released)
        }
    }

    @Test func whoIsAloneGoesOnAtOnceEvenWithoutADatabase() async throws {
        let pool = Pool(
            PoolSettings(connection: ConnectionSettings(url: "postgresql://127.0.0.1:1/x")), on: TestDatabase.loop)
        let fanIn = FanIn(store: PostgreSQLFanInStore(pool: pool, limits: FanInLimits()))
        let released = try await handle(fanIn, fanInEnvelope(payload: #"{"a":1}"#))
        #expect(released.map(\.payload.description) == [#"[{"a":1}]"#])
        #expect(released[0].route.currentActor == "summary")
        await pool.close()
    }

    @Test(arguments: FanInStoreKind.allCases)
    func missingPiecesAreNamed(kind: FanInStoreKind) async throws {
        try await withFanInStorage(kind) { storage in
            let fanIn = FanIn(store: storage.store)
            for header in [#"{"timeout_ms":1}"#, #"{"timeout_ms":1,"on_missing":"release"}"#] {
                let parent = header.contains("release") ? "r" : "f"
                _ = try await handle(fanIn, child(3, of: 7, parent: parent, header: header))
                try await Task.sleep(for: .milliseconds(5))
                let carrier = try child(0, of: 7, parent: parent, header: header)
                if parent == "r" {
                    let released = try await handle(fanIn, carrier)
                    #expect(released.map(\.payload.description) == ["[0,null,null,3,null,null,null]"])
                    #expect(released[0].headers["troupe-fan-in-missing"]?.description == "[1,2,4,5,6]")
                } else {
                    let error = await #expect(throws: HandlerError.self) { try await handle(fanIn, carrier) }
                    #expect(error?.type == "fan_in_incomplete")
                    let message = error?.message ?? ""
                    #expect(message.hasPrefix("5 of 7 pieces are missing after "), "\(message)")
                    #expect(message.hasSuffix(": 1-2, 4-6 (fan-in/fan-out/f/0)"), "\(message)")
                }
            }
        }
    }

    @Test func wrongHeadersAreAnErrorOfTheirOwnType() async throws {
        try await withDatabase { database in
            let fanIn = FanIn(store: PostgreSQLFanInStore(pool: database.pool, limits: FanInLimits()))
            let error = await #expect(throws: HandlerError.self) {
                try await handle(fanIn, child(0, of: 2, header: #"{"timeout_ms":"soon"}"#))
            }
            #expect(error?.type == "fan_in_header")
        }
    }

    @Test func whatTheDatabaseWillNeverTakeIsAnError() async throws {
        try await withDatabase { database in
            let fanIn = FanIn(
                store: PostgreSQLFanInStore(pool: database.pool, limits: FanInLimits()), patience: .seconds(60))
            try await database.pool.query("ALTER TABLE fan_in_pieces ADD CHECK (payload::text <> '0')")
            let error = await #expect(throws: HandlerError.self) { try await handle(fanIn, child(0, of: 2)) }
            #expect(error?.type == "fan_in_storage")
            #expect(error?.message.contains("23514") == true, "\(error?.message ?? "")")
        }
    }

    /// Neither an error, which would cost an attempt, nor a call that never ends: it waits in the broker.
    @Test func withoutADatabaseEnvelopesGoBackToTheirQueue() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: database.url)
            let pool = Pool(PoolSettings(connection: ConnectionSettings(url: proxy.url)), on: TestDatabase.loop)
            let fanIn = FanIn(
                store: PostgreSQLFanInStore(pool: pool, limits: FanInLimits()), patience: .milliseconds(200))
            _ = try await handle(fanIn, child(1, of: 3))
            proxy.stop()
            for index in [0, 1, 2] {
                let child = try child(index, of: 3)
                var returning = try await handle(fanIn, child)
                #expect(returning.count == 1)
                #expect((5000...15_000).contains(returning[0].headers["troupe-delay-ms"]?.integer ?? 0))
                returning[0].headers["troupe-delay-ms"] = nil
                #expect(returning == [child])
            }
            try proxy.start()
            for index in [2, 1, 0] {
                let child = try child(index, of: 3)
                try await eventually("the database is back") {
                    try await handle(fanIn, child).first?.route.current != 1
                }
            }
            #expect(try await handle(fanIn, child(0, of: 3)).map(\.payload.description) == ["[0,1,2]"])
            await pool.close()
            proxy.stop()
        }
    }

    /// The same of a disk: what does not fit waits, what no table takes is an error.
    @Test func onAFullDiskEnvelopesGoBackToTheirQueue() async throws {
        try await withFanInStorage(.sqlite) { storage in
            let fanIn = FanIn(store: storage.store, patience: .milliseconds(200))
            let pages = try await storage.count("PRAGMA page_count")
            try await storage.execute("PRAGMA max_page_count = \(pages)")
            var large = try child(1, of: 2)
            large.payload = RawJSON(string: String(repeating: "x", count: 100_000))
            let returning = try await handle(fanIn, large)
            #expect((5000...15_000).contains(returning.first?.headers["troupe-delay-ms"]?.integer ?? 0))
            #expect(try await storage.count("SELECT count(*) FROM fan_in_groups") == 0)
            try await storage.execute("PRAGMA max_page_count = 1000000")
            #expect(try await handle(fanIn, large) == [])

            try await storage.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON fan_in_pieces BEGIN SELECT RAISE(ABORT, 'no'); END")
            let error = await #expect(throws: HandlerError.self) { try await handle(fanIn, child(0, of: 2)) }
            #expect(error?.type == "fan_in_storage")
        }
    }

    /// Connections are cut in the middle of statements, so that nobody knows which were carried out.
    @Test func cutConnectionsLoseNothingAndCountNothingTwice() async throws {
        try await withDatabase { database in
            let proxy = try TCPProxy(to: database.url)
            let pool = Pool(PoolSettings(connection: ConnectionSettings(url: proxy.url)), on: TestDatabase.loop)
            let fanIn = FanIn(
                store: PostgreSQLFanInStore(pool: pool, limits: FanInLimits()), patience: .milliseconds(100))
            let count = 400
            let cutting = Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: .milliseconds(100))
                    proxy.stop()
                    try proxy.start()
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for worker in 0..<8 {
                    tasks.addTask {
                        for index in stride(from: worker, to: count, by: 8) {
                            // The broker brings back what could not be taken; piece 0 comes back anyway.
                            while try await handle(fanIn, child(index, of: count)) != [] {
                                if index == 0 { break }
                            }
                            try await Task.sleep(for: .milliseconds(10))
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            cutting.cancel()
            _ = await cutting.result
            let unharmed = FanIn(store: PostgreSQLFanInStore(pool: database.pool, limits: FanInLimits()))
            let released = try await handle(unharmed, child(0, of: count))
            let list = "[\((0..<count).map(String.init).joined(separator: ","))]"
            #expect(released.map(\.payload.description) == [list])
            let rows = try await database.pool.query("SELECT arrived FROM fan_in_groups")
            #expect(try rows[0].integer(0) == count)
            await pool.close()
            proxy.stop()
        }
    }
}
