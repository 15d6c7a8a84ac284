import EventLoops
import PostgreSQL
import Testing

@Suite("Connection")
struct ConnectionTests {
    @Test("every kind of value goes there and back unchanged")
    func roundTrip() async throws {
        let connection = try await TestServer.connect()
        defer { Task { await connection.close() } }
        let json = Array(#"{"b":12345678901234567890,"a":1e400,"a":"\u0000\ud800"}"#.utf8)
        let row = try await connection.query(
            "SELECT $1::text, $2::bigint, $3::double precision, $4::boolean, $5::bytea, $6::json, $7::text[], $8::text, $9::text",
            [
                .text("Grüße \"'\\ ∑ 🎭"), .integer(.min), .double(0.1), .boolean(true), .bytes([0, 255, 92, 39]),
                .json(json[...]),
                .texts(["a", "", "{\"}", "ü"]), .text(nil), .text(""),
            ])[0]
        #expect(try row.string(0) == "Grüße \"'\\ ∑ 🎭")
        #expect(try row.integer(1) == .min)
        #expect(try row.double(2) == 0.1)
        #expect(try row.boolean(3))
        #expect(try row.bytes(4) == [0, 255, 92, 39])
        #expect(try row.bytes(5) == json)
        #expect(try row.strings(6) == ["a", "", "{\"}", "ü"])
        #expect(row.isNull(7))
        #expect(try row.string(8) == "")
    }

    @Test("arrays become rows")
    func arrays() async throws {
        let connection = try await TestServer.connect()
        let rows = try await connection.query(
            "SELECT * FROM unnest($1::text[], $2::bigint[], $3::double precision[], $4::json[]) AS r(a, b, c, d)",
            [.texts(["x", nil]), .integers([nil, 7]), .doubles([0.5, nil]), .jsons([Array("[1]".utf8)[...], nil])])
        #expect(rows.count == 2)
        #expect(try rows[0].string(0) == "x")
        #expect(rows[0].isNull(1))
        #expect(try rows[1].integer(1) == 7)
        #expect(try rows[0].double(2) == 0.5)
        #expect(try rows[0].string(3) == "[1]")
        #expect(rows[1].isNull(3))
        #expect(try await connection.query("SELECT * FROM unnest($1::text[])", [.texts([])]).isEmpty)
        await connection.close()
    }

    @Test("timestamps are microseconds since 1970")
    func timestamps() async throws {
        let connection = try await TestServer.connect()
        let row = try await connection.query(
            "SELECT timestamptz '1969-12-31 23:59:59.999999+00', timestamptz 'infinity'")[0]
        #expect(try row.microseconds(0) == -1)
        #expect(try row.optionalMicroseconds(1) != nil)
        let sent = try await connection.query(
            "SELECT $1::timestamptz, $1::timestamptz::text, a FROM unnest($2::timestamptz[]) AS t(a)",
            [.time(microseconds: -1), .times(microseconds: [nil, 1_795_253_400_123_456])])
        #expect(try sent[0].microseconds(0) == -1)
        #expect(try sent[0].string(1).hasPrefix("19"))
        #expect(sent[0].isNull(2))
        #expect(try sent[1].microseconds(2) == 1_795_253_400_123_456)
        await connection.close()
    }

    @Test("16 MiB go there and back")
    func large() async throws {
        let connection = try await TestServer.connect()
        let bytes = (0..<(16 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let rows = try await connection.query("SELECT $1::bytea", [.bytes(bytes)])
        #expect(try rows[0].bytes(0) == bytes)
        await connection.close()
    }

    @Test("a wrong statement says why, hides values, and leaves the connection usable", arguments: [true, false])
    func serverError(prepared: Bool) async throws {
        let connection = try await TestServer.connect { $0.usesPreparedStatements = prepared }
        for _ in 0..<2 {
            let error = await #expect(throws: PostgreSQLError.self) {
                try await connection.query("SELECT $1::text::integer", [.text("secret")])
            }
            #expect(error?.code == .server)
            #expect(error?.sqlState?.rawValue == "22P02")
            #expect(error.map { !$0.description.contains("secret") } == true)
            #expect(error?.debugDescription.contains("secret") == true)
            #expect(error?.isRetryable == false)
        }
        #expect(try await connection.query("SELECT $1::text", [.text("fine")])[0].string(0) == "fine")
        await connection.close()
    }

    @Test("a NUL in a text is refused by the server, not cut off by us")
    func nulCharacter() async throws {
        let connection = try await TestServer.connect()
        let error = await #expect(throws: PostgreSQLError.self) {
            try await connection.query("SELECT $1::text", [.text("a\0b")])
        }
        #expect(error?.sqlState?.rawValue == "22021")
        await connection.close()
    }

    @Test("a column of another type or a null is an error, not a crash")
    func wrongColumn() async throws {
        let connection = try await TestServer.connect()
        let row = try await connection.query("SELECT 'x'::text, NULL::bigint, 1")[0]
        #expect(throws: PostgreSQLError.self) { try row.integer(0) }
        #expect(throws: PostgreSQLError.self) { try row.integer(1) }
        #expect(throws: PostgreSQLError.self) { try row.string(9) }
        #expect(throws: PostgreSQLError.self) { try row.strings(2) }
        #expect(throws: PostgreSQLError.self) { try row.microseconds(0) }
        await connection.close()
    }

    @Test("calls from many tasks run one after the other")
    func concurrentCalls() async throws {
        let connection = try await TestServer.connect()
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...200 {
                group.addTask { try await connection.query("SELECT $1::bigint", [.integer(number)])[0].integer(0) }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 20_100)
        await connection.close()
    }

    @Test("a timeout cancels the statement and leaves the connection usable")
    func timeout() async throws {
        let connection = try await TestServer.connect()
        let start = ContinuousClock.now
        let error = await #expect(throws: PostgreSQLError.self) {
            try await connection.query("SELECT pg_sleep(30)", timeout: .milliseconds(50))
        }
        #expect(error?.code == .timeout)
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(try await connection.query("SELECT 1")[0].integer(0) == 1)
        #expect(await connection.isReusable)
        await connection.close()
    }

    @Test("the server's own statement timeout is retryable")
    func statementTimeout() async throws {
        let connection = try await TestServer.connect { $0.statementTimeout = .milliseconds(50) }
        let error = await #expect(throws: PostgreSQLError.self) { try await connection.query("SELECT pg_sleep(30)") }
        #expect(error?.sqlState == .queryCanceled)
        #expect(error?.isUnavailable == true)
        await connection.close()
    }

    @Test("a cancelled task ends its statement; those behind it still run")
    func cancellation() async throws {
        let connection = try await TestServer.connect()
        let sleeping = Task { try await connection.query("SELECT pg_sleep(30)") }
        let behind = Task { try await connection.query("SELECT 2")[0].integer(0) }
        try await Task.sleep(for: .milliseconds(50))
        sleeping.cancel()
        let error = await #expect(throws: PostgreSQLError.self) { try await sleeping.value }
        #expect(error?.code == .cancelled)
        #expect(try await behind.value == 2)
        await connection.close()
    }

    @Test("a call in the queue can be cancelled too, and one that never started")
    func cancellationInQueue() async throws {
        let connection = try await TestServer.connect()
        let first = Task { try await connection.query("SELECT pg_sleep(0.3)") }
        try await Task.sleep(for: .milliseconds(50))
        let second = Task { try await connection.query("SELECT 1") }
        let third = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await connection.query("SELECT 1")
        }
        second.cancel()
        #expect(await #expect(throws: PostgreSQLError.self) { try await second.value }?.code == .cancelled)
        #expect(await #expect(throws: PostgreSQLError.self) { try await third.value }?.code == .cancelled)
        _ = try await first.value
        await connection.close()
    }

    @Test("a connection that the server ends fails its statement and every later one")
    func serverGone() async throws {
        let connection = try await TestServer.connect()
        let pid = try await connection.query("SELECT pg_backend_pid()")[0].integer(0)
        let sleeping = Task { try await connection.query("SELECT pg_sleep(30)") }
        try await Task.sleep(for: .milliseconds(50))
        let other = try await TestServer.connect()
        try await other.query("SELECT pg_terminate_backend($1::int)", [.integer(pid)])
        let error = await #expect(throws: PostgreSQLError.self) { try await sleeping.value }
        #expect(error?.isUnavailable == true)
        try await eventually("the connection didn't notice") { await connection.isClosed }
        await #expect(throws: PostgreSQLError.self) { try await connection.query("SELECT 1") }
        await other.close()
    }

    @Test("closing fails what is under way")
    func closing() async throws {
        let connection = try await TestServer.connect()
        let sleeping = Task { try await connection.query("SELECT pg_sleep(30)") }
        try await Task.sleep(for: .milliseconds(50))
        await connection.close()
        #expect(await #expect(throws: PostgreSQLError.self) { try await sleeping.value }?.code == .closed)
    }

    @Test("COPY, which we don't speak, ends the connection rather than hang it")
    func copy() async throws {
        let connection = try await TestServer.connect()
        await #expect(throws: PostgreSQLError.self) { try await connection.query("COPY (SELECT 1) TO STDOUT") }
        #expect(await connection.isClosed)
    }

    @Test(
        "a server that isn't there, doesn't know us, or doesn't answer",
        arguments: ["postgresql://127.0.0.1:1/x", "postgresql:///x?host=/nowhere"])
    func unreachable(url: String) async throws {
        let error = await #expect(throws: PostgreSQLError.self) {
            try await Connection.connect(ConnectionSettings(url: url), on: TestServer.loop)
        }
        #expect(error?.code == .connectionFailed)
        #expect(error?.isUnavailable == true)
    }

    @Test("connection strings are checked without connecting, and without repeating them")
    func connectionStrings() {
        #expect(ConnectionSettings(url: "postgresql://a:b@localhost:5432/d?sslmode=require").problem == nil)
        #expect(ConnectionSettings(url: "host=localhost dbname=d").problem == nil)
        for url in ["hunter2=x", "postgresql://a@h/d?hunter2=1", "host='hunter2"] {
            let problem = ConnectionSettings(url: url).problem
            #expect(problem != nil)
            #expect(problem?.contains("hunter2") == false, "\(problem ?? "")")
        }
    }

    @Test("names are quoted whatever they hold")
    func quoting() {
        #expect(quotedIdentifier("a\"b\0; DROP") == "\"a\"\"b; DROP\"")
    }
}
