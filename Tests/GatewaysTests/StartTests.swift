import Foundation
import PostgreSQL
import Settings
import TestSupport
import Testing

@testable import Gateways

@Suite("Start", .serialized)
struct StartTests {
    @Test("a database without schema, or with another one, is refused with the command to run")
    func schema() async throws {
        let empty = try await TestDatabase.empty()
        let missing = await #expect(throws: GatewayStartError.self) { try await TestGateway.start(.of(empty.url)) }
        #expect(missing?.exitCode == 78)
        #expect(
            missing?.message.contains("sqitch --chdir gateway-schema deploy --verify \"db:$TROUPE_DATABASE_URL\"")
                == true)
        try await empty.drop()
        try await withDatabase { database in
            try await database.pool.query("UPDATE troupe_schema SET version = version + 1")
            let newer = await #expect(throws: GatewayStartError.self) { try await TestGateway.start(database.gateway) }
            #expect(newer?.exitCode == 78)
            #expect(newer?.message.contains("start a newer gateway") == true)
        }
    }

    @Test("tool files with mistakes are refused with all of them")
    func tools() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "tools-\(UUID().uuidString).yaml")
        try Data("tools:\n  - {name: a}\n  - {route: [x]}\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let error = await #expect(throws: GatewayStartError.self) {
            try await TestGateway.start(.of("postgresql://127.0.0.1:1/x")) { $0.configPath = file.path }
        }
        #expect(error?.exitCode == 78)
        #expect(error?.message.contains("\(file.path):2:5: tool 'a' has no 'route'") == true)
        #expect(error?.message.contains("\(file.path):3:5: a tool without 'name'") == true)
    }

    @Test("an address that is taken is named")
    func addressTaken() async throws {
        try await withGateway { gateway, database in
            let error = await #expect(throws: GatewayStartError.self) {
                try await TestGateway.start(database.gateway) { $0.port = gateway.client.port }
            }
            #expect(error?.exitCode == 69)
            #expect(error?.message.contains("cannot listen on 127.0.0.1:\(gateway.client.port)") == true)
        }
    }

    @Test("it works without prepared statements")
    func unprepared() async throws {
        try await withDatabase { database in
            var settings = PoolSettings(connection: ConnectionSettings(url: database.url))
            settings.connection.usesPreparedStatements = false
            let gateway = try await TestGateway.start(.postgreSQL(settings))
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            let submitted = try await gateway.client.post("/envelopes", body)
            let final = try await gateway.client.post("/envelopes/e/final", #"{"status":"succeeded"}"#)
            let envelope = try await gateway.client.get("/envelopes/e")
            #expect(submitted.status == 202)
            #expect(final.status == 200)
            #expect(envelope["status"]?.string == "succeeded")
            try await gateway.stop()
        }
    }

    @Test("the Sqitch project deploys, verifies and reverts; its command is the one that we name")
    func sqitch() async throws {
        let database = try await TestDatabase.empty()
        let environment = [
            "TROUPE_DATABASE_URL": database.url, "SQITCH_FULLNAME": "Test", "SQITCH_EMAIL": "test@localhost",
            "SQITCH_SYSTEM_CONFIG": "/dev/null", "SQITCH_USER_CONFIG": "/dev/null",
        ]
        func sqitch(_ command: String) throws {
            try TestServers.run(
                ["sh", "-c", "sqitch --chdir gateway-schema \(command) \"db:$TROUPE_DATABASE_URL\""],
                environment: environment)
        }
        try sqitch("deploy --verify")
        #expect(try await SchemaVersion.check(database.pool) == .fits)
        try sqitch("verify")
        // Verification finds what is broken.
        try await database.pool.query("ALTER TABLE envelope_updates DISABLE TRIGGER envelope_updates_notify")
        let failure = #expect(throws: TestServers.Failed.self) { try sqitch("verify") }
        #expect(failure?.output.contains("the notification trigger is not active") == true)
        try await database.pool.query("ALTER TABLE envelope_updates ENABLE TRIGGER envelope_updates_notify")
        try sqitch("revert -y")
        #expect(try await SchemaVersion.check(database.pool) == .missing)
        #expect(
            try await database.pool.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")[0].integer(0)
                == 0)
        try sqitch("deploy --verify")
        try await database.drop()
    }
}

@Suite("Configuration")
struct ConfigurationTests {
    private func problems(_ environment: [String: String]) -> [String] {
        var settings = Settings(
            environment: environment.merging(["TROUPE_DATABASE_URL": "postgresql://localhost/x"]) { first, _ in first })
        _ = Configuration(&settings)
        _ = GatewayDatabase.postgreSQL(&settings)
        return settings.problems.map(\.description)
    }

    @Test("defaults are right, and Asya's names are read")
    func defaults() {
        #expect(problems([:]).isEmpty)
        var settings = Settings(environment: [
            "ASYA_DATABASE_URL": "postgresql://localhost/x", "ASYA_GATEWAY_PORT": "9090",
            "TROUPE_GATEWAY_KEEPALIVE": "2s",
        ])
        let configuration = Configuration(&settings)
        _ = GatewayDatabase.postgreSQL(&settings)
        #expect(settings.problems.isEmpty)
        #expect(configuration.port == 9090)
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.keepAlive == .seconds(2))
    }

    @Test(
        "wrong values are refused by name",
        arguments: [
            ("GATEWAY_PORT", "http"), ("GATEWAY_PORT", "70000"), ("DATABASE_URL", ""), ("DATABASE_URL", "nonsense"),
            ("DATABASE_POOL_SIZE", "0"),
            ("DATABASE_CONNECT_TIMEOUT", "soon"), ("DATABASE_STATEMENT_TIMEOUT", "-1s"),
            ("DATABASE_PREPARED_STATEMENTS", "maybe"),
            ("GATEWAY_MAX_BODY", "1"), ("GATEWAY_MAX_NESTING", "0"), ("GATEWAY_IDLE_TIMEOUT", "x"),
            ("GATEWAY_KEEPALIVE", "0"),
            ("GATEWAY_STREAM_POLL", "0"), ("GATEWAY_PUBLISH_TIMEOUT", "15s"), ("GATEWAY_OUTBOX_GRACE", "?"),
            ("GATEWAY_OUTBOX_INTERVAL", "1h1"),
            ("GATEWAY_DEADLINE_GRACE", "2h"), ("GATEWAY_REPORT_PREFETCH", "100000"), ("GATEWAY_DRAIN_TIMEOUT", "0"),
        ])
    func wrong(name: String, value: String) {
        let found = problems(["TROUPE_\(name)": value])
        #expect(found.contains { $0.hasPrefix("TROUPE_\(name): ") }, "\(found)")
    }

    @Test("a wrong database URL is not repeated: it may hold a password")
    func secret() {
        #expect(!problems(["TROUPE_DATABASE_URL": "user=x hunter2"]).joined().contains("hunter2"))
    }
}
