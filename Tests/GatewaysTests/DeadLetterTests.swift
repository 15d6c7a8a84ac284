import AMQP
import Envelopes
import EventLoops
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry
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
            var configuration = Configuration()
            configuration.port = 0
            let (ports, port) = AsyncStream<GatewayPorts>.makeStream()
            let gateway = Gateway(
                configuration: configuration, database: database.gateway, transport: transport,
                deadLetters: RabbitMQDeadLetters(broker), queues: RabbitMQQueues(broker), logger: logger
            ) { port.yield($0) }
            let group = ServiceGroup(configuration: .init(services: [gateway], logger: logger))
            let running = Task { try await group.run() }
            for actor in ["a", "happy-end"] { await transport.declare(.actor(actor)) }
            for await ports in ports {
                try await body(World(transport: transport, broker: broker, database: database, port: ports.main))
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
        (#"{"limit":0}"#, "/limit"), (#"{"older_than":"soon"}"#, "/older_than"), (#"{"before":"5m"}"#, "/before"),
        (#"{"dry_run":"no"}"#, "/dry_run"),
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

    @Test func oneThatIsNestedDeepIsReplayedAsAnEnvelope() async throws {
        try await withWorld { world in
            let payload = String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)
            try await world.bury(
                "e", "a", "rejected", body: #"{"id":"e","route":{"actors":["a"]},"payload":\#(payload)}"#)
            #expect(try await world.client.get("/dead-letters/a/e").text.contains(#""message":{"id":"e""#))
            #expect(
                try await world.client.post("/dead-letters/replay", #"{"ids":["e"],"actor":"a"}"#)["done"]?.integer == 1
            )
            let deliveries = await world.transport.deliveries(from: .actor("a"), prefetch: 1)
            let delivery = try await within(.seconds(10), "the replayed one") { await deliveries.first { _ in true } }
            #expect(try Envelope(parsing: try #require(delivery).body, limits: .ofBroker).headers.replays == 1)
        }
    }

    @Test func whatIsListedIsNotKeptWhole() async throws {
        try await withWorld { world in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            try await world.bury("e", "a", "rejected", body: body)
            let desk = DeadLetterDesk(
                queues: RabbitMQDeadLetters(world.broker), transport: world.transport, publishTimeout: .seconds(5),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            for (act, kept) in [(DeadLetterDesk.Act.list, nil), (.show, Array(body.utf8)), (.purge, nil)] {
                let outcome = try #require(try await desk.go(through: "a", DeadLetterFilter(), limit: 10, act))
                #expect(outcome.entries.map(\.size) == [body.utf8.count])
                #expect(outcome.entries.map(\.body) == [kept])
            }
        }
    }

    @Test func aReplayedOneGoesOnInItsTraceAndNamesWhoHasSentItAgain() async throws {
        try await withWorld { world in
            let parent = try #require(TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
            let body = #"{"id":"e","route":{"actors":["a"]},"headers":{"traceparent":"\#(parent)"},"payload":1}"#
            try await world.bury("e", "a", "rejected", body: body)
            let spans = Mutex<[Span]>([])
            let desk = DeadLetterDesk(
                queues: RabbitMQDeadLetters(world.broker), transport: world.transport, publishTimeout: .seconds(5),
                spans: MessageSpans(Tracer { span in spans.withLock { $0.append(span) } }, .init()),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let operation = TraceParent.random()
            try await RequestScope.$current.withValue(RequestScope(id: nil, trace: operation)) {
                _ = try await desk.go(through: "a", DeadLetterFilter(), limit: 1, .replay)
            }
            let deliveries = await world.transport.deliveries(from: .actor("a"), prefetch: 1)
            let delivery = try await within(.seconds(10), "the replayed one") { await deliveries.first { _ in true } }
            let sent = try Envelope(parsing: try #require(delivery).body).headers.traceparent
            let span = try #require(spans.withLock { $0 }.first)
            #expect(span.context == sent && span.parent == parent && span.links == [operation])
            #expect(sent?.traceID == parent.traceID && sent != parent)
        }
    }

    @Test func theOnesFromBeforeATimeAreMeant() async throws {
        try await withWorld { world in
            let start = Timestamp.now()
            try await Task.sleep(for: .milliseconds(1100))
            try await world.bury("e", "a", "rejected")
            func count(_ before: String) async throws -> Int? {
                try await world.client.get("/dead-letters?actor=a&before=\(before)")["dead_letters"]?.elements.count
            }
            #expect(try await count(start) == 0)
            #expect(try await count("2100-01-01T00:00:00Z") == 1)
            #expect(
                try await world.client.post("/dead-letters/purge", #"{"actor":"a","before":"\#(start)"}"#)["done"]?
                    .integer
                    == 0)
        }
    }

    /// Each page is full again at once: only a cut-off ends it.
    @Test func replayingAllEndsAlthoughTheyDieAgain() async throws {
        try await withWorld { world in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...1200 { group.addTask { try await world.bury("e\(number)", "a", "rejected") } }
                try await group.waitForAll()
            }
            let deliveries = await world.transport.deliveries(from: .actor("a"), prefetch: 100)
            let dying = Task {
                await withDiscardingTaskGroup { group in
                    for await delivery in deliveries {
                        group.addTask {
                            guard let id = try? Envelope(parsing: delivery.body).id else { return }
                            try? await world.bury(
                                id, "a", "rejected", body: String(decoding: delivery.body, as: UTF8.self))
                            await world.transport.settle(delivery, .acknowledge)
                        }
                    }
                }
            }
            defer { dying.cancel() }
            // Times of dead letters are whole seconds.
            try await Task.sleep(for: .milliseconds(1100))
            let replay = try await within(.seconds(60), "the command's end") {
                try await world.troupe("dlq", "replay", "--actor", "a", "--output", "json")
            }
            #expect(replay.status == 0)
            let pages = try replay.output.split(separator: "\n").map { try RawJSON(Array($0.utf8)) }
            #expect(pages.count >= 2 && pages.last?["more"]?.boolean == false)
            let count = pages.compactMap { $0["done"]?.integer }.reduce(0, +)
            #expect(count >= 1200 && count < 4000, "\(count)")
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
