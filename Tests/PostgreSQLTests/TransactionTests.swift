import PostgreSQL
import Testing

@Suite("Transactions")
struct TransactionTests {
    private struct Wrong: Error {}

    @Test("commit keeps, an error rolls back and is thrown on")
    func commitAndRollback() async throws {
        let connection = try await TestServer.connect()
        try await connection.query("CREATE TEMPORARY TABLE t (n integer)")
        let count = try await connection.withTransaction { connection in
            try await connection.query("INSERT INTO t VALUES (1), (2)").affectedCount
        }
        #expect(count == 2)
        await #expect(throws: Wrong.self) {
            try await connection.withTransaction { connection in
                try await connection.query("INSERT INTO t VALUES (3)")
                throw Wrong()
            }
        }
        #expect(try await connection.query("SELECT count(*) FROM t")[0].integer(0) == 2)
        #expect(await connection.isReusable)
        await connection.close()
    }

    @Test("a statement that fails inside rolls back all of it")
    func failingStatement() async throws {
        let connection = try await TestServer.connect()
        try await connection.query("CREATE TEMPORARY TABLE t (n integer PRIMARY KEY)")
        let error = await #expect(throws: PostgreSQLError.self) {
            try await connection.withTransaction { connection in
                try await connection.query("INSERT INTO t VALUES (1)")
                try await connection.query("INSERT INTO t VALUES (1)")
            }
        }
        #expect(error?.sqlState == .uniqueViolation)
        #expect(error?.constraint == "t_pkey")
        #expect(try await connection.query("SELECT count(*) FROM t")[0].integer(0) == 0)
        await connection.close()
    }

    @Test("a cancelled task rolls back")
    func cancelled() async throws {
        let connection = try await TestServer.connect()
        try await connection.query("CREATE TEMPORARY TABLE t (n integer)")
        let task = Task {
            try await connection.withTransaction { connection in
                try await connection.query("INSERT INTO t VALUES (1)")
                try await connection.query("SELECT pg_sleep(30)")
            }
        }
        try await Task.sleep(for: .milliseconds(100))
        task.cancel()
        await #expect(throws: PostgreSQLError.self) { try await task.value }
        #expect(try await connection.query("SELECT count(*) FROM t")[0].integer(0) == 0)
        #expect(await connection.isReusable)
        await connection.close()
    }
}
