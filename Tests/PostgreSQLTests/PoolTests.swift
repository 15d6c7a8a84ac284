import EventLoops
import PostgreSQL
import Testing

@Suite("Pool")
struct PoolTests {
    private func makePool(
        size: Int = 2, waitLimit: Duration = .seconds(5), waiterLimit: Int = 1000, url: String? = nil
    ) throws -> Pool {
        let url = try url ?? TestServer.url
        return Pool(
            PoolSettings(
                connection: ConnectionSettings(url: url), size: size, waitLimit: waitLimit, waiterLimit: waiterLimit),
            on: TestServer.loop)
    }

    @Test("many callers share few connections")
    func sharing() async throws {
        let pool = try makePool(size: 3)
        let pids = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<100 { group.addTask { try await pool.query("SELECT pg_backend_pid()")[0].integer(0) } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect((1...3).contains(pids.count))
        let statistics = await pool.statistics
        #expect(statistics.lent == 0)
        #expect(statistics.idle <= 3)
        await pool.close()
        await #expect(throws: PostgreSQLError.self) { try await pool.query("SELECT 1") }
    }

    @Test("who waits too long, or comes when too many wait, is told so")
    func exhaustion() async throws {
        let pool = try makePool(size: 1, waitLimit: .seconds(1), waiterLimit: 1)
        // The limit holds for the making of the connection too.
        try await eventually("no connection") { (try? await pool.query("SELECT 1")) != nil }
        let holding = Task { try await pool.query("SELECT pg_sleep(3)") }
        try await eventually("nobody holds the connection") { await pool.statistics.lent == 1 }
        let waiting = Task { try await pool.query("SELECT 1") }
        try await eventually("nobody waits") { await pool.statistics.waiting == 1 }
        #expect(
            await #expect(throws: PostgreSQLError.self) { try await pool.query("SELECT 1") }?.code == .poolExhausted)
        #expect(await #expect(throws: PostgreSQLError.self) { try await waiting.value }?.code == .poolExhausted)
        _ = try await holding.value
        #expect(try await pool.query("SELECT 1")[0].integer(0) == 1)
        await pool.close()
    }

    @Test("a waiting task can be cancelled")
    func cancelWaiting() async throws {
        let pool = try makePool(size: 1)
        let holding = Task { try await pool.query("SELECT pg_sleep(0.3)") }
        try await eventually("nobody holds the connection") { await pool.statistics.lent == 1 }
        let waiting = Task { try await pool.query("SELECT 1") }
        try await eventually("nobody waits") { await pool.statistics.waiting == 1 }
        waiting.cancel()
        #expect(await #expect(throws: PostgreSQLError.self) { try await waiting.value }?.code == .cancelled)
        _ = try await holding.value
        await pool.close()
    }

    @Test("a connection that comes back inside a transaction isn't lent again")
    func openTransaction() async throws {
        let pool = try makePool(size: 1)
        let first = try await pool.withConnection { connection in
            try await connection.query("BEGIN")
            return try await connection.query("SELECT pg_backend_pid()")[0].integer(0)
        }
        #expect(try await pool.query("SELECT pg_backend_pid()")[0].integer(0) != first)
        await pool.close()
    }

    @Test("connections that the server ended are replaced")
    func replacement() async throws {
        let pool = try makePool(size: 2)
        for _ in 0..<5 {
            let pid = try await pool.query("SELECT pg_backend_pid()")[0].integer(0)
            let other = try await TestServer.connect()
            try await other.query("SELECT pg_terminate_backend($1::int)", [.integer(pid)])
            await other.close()
            try await eventually("the pool kept a dead connection") { await pool.statistics.idle == 0 }
            #expect(try await pool.query("SELECT 1")[0].integer(0) == 1)
        }
        await pool.close()
    }

    @Test("a database that is away fails calls at once, and is noticed when it comes back")
    func awayAndBack() async throws {
        let proxy = try TCPProxy(to: try TestServer.url)
        let pool = try makePool(url: proxy.url)
        #expect(try await pool.query("SELECT 1")[0].integer(0) == 1)
        proxy.stop()
        try await eventually("the pool kept a dead connection") { await pool.statistics.idle == 0 }
        await #expect(throws: PostgreSQLError.self) { try await pool.query("SELECT 1") }
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgreSQLError.self) { try await pool.query("SELECT 1") }
        #expect(error?.isUnavailable == true)
        #expect(ContinuousClock.now - start < .seconds(1))
        try proxy.start()
        try await eventually("the pool didn't recover") { (try? await pool.query("SELECT 1")) != nil }
        await pool.close()
        proxy.stop()
    }
}
