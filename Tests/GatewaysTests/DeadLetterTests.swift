import AMQP
import Envelopes
import EventLoops
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing
import Transports

@testable import Gateways

/// The dead letters' endpoints and `troupe dlq`, on the real broker.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DeadLetterTests {
    struct World {
        let transport: RabbitMQTransport
        let broker: RabbitMQSettings
        let database: TestDatabase
        let port: Int
        var client: TestClient { TestClient(port: port) }

        func bury(_ id: String, _ actor: String, _ reason: String, body: String? = nil) async throws {
            let body =
                body
                ?? #"{"id":"\#(id)","route":{"actors":["\#(actor)","b"]},"headers":{"h":1e400},"payload":[1.50],"deadline":"2020-01-01T00:00:00Z"}"#
            let message = Message(to: .deadLetters(actor: actor, reason: reason), id: id, body: Array(body.utf8))
            try await transport.publish(message, timeout: .seconds(10))
        }

        /// Runs the command as a person would.
        func troupe(_ arguments: String...) async throws -> (status: Int32, output: String, notes: String) {
            let port = port
            return try await Task.detached {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
                    .deletingLastPathComponent().appendingPathComponent("troupe")
                process.arguments = arguments
                process.environment = ["TROUPE_GATEWAY_URL": "http://127.0.0.1:\(port)"]
                let (output, notes) = (Pipe(), Pipe())
                process.standardOutput = output
                process.standardError = notes
                try process.run()
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                let more = String(decoding: notes.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                return (process.terminationStatus, text, more)
            }.value
        }
    }

    func withWorld(_ body: (World) async throws -> Void) async throws {
        let unique = "dlq\(UInt32.random(in: 0 ... .max))"
        let broker = RabbitMQSettings(
            endpoint: try Endpoint(url: TestServers.rabbitMQURL), exchange: unique, queuePrefix: "\(unique)-")
        let logger = Logger(label: unique) { _ in SwiftLogNoOpLogHandler() }
        let transport = RabbitMQTransport(broker, on: EventLoop(name: unique), logger: logger)
        try await withDatabase { database in
            var configuration = Configuration(databaseURL: database.url)
            configuration.port = 0
            let (ports, port) = AsyncStream<Int>.makeStream()
            let gateway = Gateway(
                configuration: configuration, transport: transport, deadLetters: RabbitMQDeadLetters(broker),
                logger: logger
            ) { port.yield($0) }
            let group = ServiceGroup(configuration: .init(services: [gateway], logger: logger))
            let running = Task { try await group.run() }
            for actor in ["a", "happy-end"] { await transport.declare(.actor(actor)) }
            for await number in ports {
                try await body(World(transport: transport, broker: broker, database: database, port: number))
                break
            }
            await group.triggerGracefulShutdown()
            try await running.value
        }
        await transport.shutdown()
    }

    @Test func areListedShownReplayedAndPurged() async throws {
        try await withWorld { world in
            let client = world.client
            try await world.bury("e1", "a", "delivery_limit")
            try await world.bury("e2", "a", "happy-end could not close the envelope: NameError: too long")
            try await world.bury("g", "a", "not JSON", body: "\u{1}garbage")
            try await world.bury("e3", "happy-end", "delivery_limit")

            // Nobody has named the actors but the dead letters themselves.
            try await eventually(within: .seconds(10), "all actors' dead letters") {
                try await client.get("/dead-letters")["dead_letters"]?.elements.count == 4
            }

            // Show.
            let all = try await client.get("/dead-letters?actor=a")
            let entries = try #require(all["dead_letters"]?.elements)
            #expect(Set(entries.compactMap { $0["id"]?.string }) == ["e1", "e2", "g"])
            #expect(all["more"]?.boolean == false)
            let some = try await client.get("/dead-letters?actor=a&type=nameerror&newer_than=1h&limit=5")
            #expect(some["dead_letters"]?.elements.compactMap { $0["id"]?.string } == ["e2"])
            #expect(
                try await client.get("/dead-letters?actor=a&older_than=1h")["dead_letters"]?.elements.isEmpty == true)
            #expect(try await client.get("/dead-letters?actor=a&limit=1")["more"]?.boolean == true)
            let one = try await client.get("/dead-letters/a/e1")
            #expect(one["message"]?["payload"]?.description == "[1.50]" && one["reason"]?.string == "delivery_limit")
            #expect(try await client.get("/dead-letters/a/g")["message_base64"]?.string == "AWdhcmJhZ2U=")
            #expect(try await client.get("/dead-letters/a/nobody").status == 404)

            // Replay: a dry run first.
            let dry = try await client.post("/dead-letters/replay", #"{"ids":["e1"],"actor":"a","dry_run":true}"#)
            #expect(dry["dead_letters"]?.elements.count == 1 && dry["done"]?.integer == 0)
            let real = try await client.post("/dead-letters/replay", #"{"ids":["e1"],"actor":"a"}"#)
            #expect(real["done"]?.integer == 1 && real["failed"]?.integer == 0)
            let deliveries = await world.transport.deliveries(from: .actor("a"), prefetch: 1)
            let delivery = try await within(.seconds(10), "the replayed one") { await deliveries.first { _ in true } }
            let envelope = try Envelope(parsing: try #require(delivery).body)
            #expect(envelope.id == "e1" && envelope.payload.description == "[1.50]")
            #expect(envelope.headers["h"]?.description == "1e400" && envelope.headers.replays == 1)
            #expect(envelope.deadline == nil, "it had passed")

            // Purge.
            #expect(try await client.post("/dead-letters/purge", #"{"actor":"a","type":"json"}"#)["done"]?.integer == 1)
            let left = try await client.get("/dead-letters?actor=a")
            #expect(left["dead_letters"]?.elements.compactMap { $0["id"]?.string } == ["e2"])
        }
    }

    @Test(arguments: [
        (#"{"actr":"a"}"#, "/actr"), (#"{"ids":[]}"#, "/ids"), (#"{"ids":[1]}"#, "/ids"), (#"{"ids":"e"}"#, "/ids"),
        (#"{"limit":0}"#, "/limit"), (#"{"older_than":"soon"}"#, "/older_than"), (#"{"dry_run":"no"}"#, "/dry_run"),
        (#"{"actor":7}"#, "/actor"),
    ])
    func aWrongSelectionIsRefusedAndTouchesNothing(body: String, pointer: String) async throws {
        try await withWorld { world in
            try await world.bury("e1", "a", "delivery_limit")
            for path in ["replay", "purge"] {
                let answer = try await world.client.post("/dead-letters/\(path)", body)
                #expect(answer.status == 400 && answer["pointer"]?.string == pointer)
            }
            #expect(try await world.client.get("/dead-letters?actor=a")["dead_letters"]?.elements.count == 1)
        }
    }

    @Test func theCommandDoesTheSame() async throws {
        try await withWorld { world in
            for number in 1...3 { try await world.bury("e\(number)", "a", "delivery_limit") }
            try await world.bury("e4", "a", "NameError\u{1B}[31m: too long")
            let list = try await world.troupe("dlq", "list", "--actor", "a")
            #expect(list.status == 0)
            #expect(list.output.hasPrefix("ACTOR  ID  SINCE") && list.output.contains("NameError [31m: too long"))
            #expect(list.output.split(separator: "\n").count == 5)
            let json = try await world.troupe("dlq", "list", "--type", "nameerror", "--actor", "a", "--output", "json")
            #expect(try RawJSON(Array(json.output.dropLast().utf8))["dead_letters"]?.elements.count == 1)
            #expect(try await world.troupe("dlq", "show", "a", "e4").output.contains(#""payload":[1.50]"#))

            let nothing = try await world.troupe("dlq", "replay")
            #expect(nothing.status == 64 && nothing.notes.contains("say which"))
            let dry = try await world.troupe("dlq", "replay", "e1", "e2", "--actor", "a", "--dry-run")
            #expect(dry.status == 0 && dry.output.contains("e1") && dry.output.contains("e2"))
            let replay = try await world.troupe("dlq", "replay", "e1", "e2", "--actor", "a")
            #expect(replay.status == 0 && replay.output == "2 sent again\n")
            let careful = try await world.troupe("dlq", "purge", "--actor", "a")
            #expect(careful.output.contains("e3") && careful.notes.contains("--yes"))
            let purge = try await world.troupe("dlq", "purge", "--actor", "a", "--yes")
            #expect(purge.output == "2 dropped\n")
            #expect(try await world.troupe("dlq", "list", "--actor", "a").output == "no dead letters\n")

            let gone = try await world.troupe("dlq", "show", "a", "e1")
            #expect(gone.status == 66 && gone.notes.contains("no dead letter 'e1'"))
            let away = try await world.troupe("dlq", "list", "--gateway", "http://127.0.0.1:9")
            #expect(away.status == 69 && away.notes.contains("Is it running?"))
        }
    }
}
