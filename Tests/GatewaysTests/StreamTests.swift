import Envelopes
import Foundation
import PostgreSQL
import Testing

@testable import Gateways

@Suite("Event streams", .serialized)
struct StreamTests {
    private func submit(_ gateway: TestGateway, _ id: String = "e") async throws {
        #expect(
            try await gateway.client.post("/envelopes", #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1}"#)
                .status == 202)
    }

    private func progress(_ gateway: TestGateway, _ number: Int, _ id: String = "e") async throws {
        let body =
            #"{"actors":["a","b"],"current_actor_idx":\#(number % 2),"status":"processing","message":"step \#(number)"}"#
        #expect(try await gateway.client.post("/envelopes/\(id)/progress", body).status == 200)
    }

    private func finish(_ gateway: TestGateway, _ id: String = "e") async throws {
        let body = #"{"status":"succeeded","result":{"done":true},"actors":["a","b"],"current_actor_idx":2}"#
        #expect(try await gateway.client.post("/envelopes/\(id)/final", body).status == 200)
    }

    private func withoutPolling(_ configuration: inout Configuration) {
        configuration.streamPoll = .seconds(600)
        configuration.keepAlive = .seconds(600)
    }

    @Test(
        "history, then live, each once and in order, and the stream ends with the envelope",
        arguments: StoreKind.allCases)
    func historyThenLive(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            for number in 0..<5 { try await progress(gateway, number) }
            let stream = try await gateway.client.events("/envelopes/e/stream")
            #expect(stream.status == 200)
            #expect(stream.headers["content-type"] == "text/event-stream")
            for number in 5..<10 { try await progress(gateway, number) }
            try await finish(gateway)
            let events = await stream.all()
            #expect(events.count == 12)
            #expect(events.allSatisfy { $0.name == "update" })
            #expect(events.first?["status"]?.string == "running")
            #expect(events.first?["message"]?.string == "Sending envelope to first actor")
            #expect(events.dropFirst().dropLast().map { $0["message"]?.string } == (0..<10).map { "step \($0)" })
            #expect(events.last?["status"]?.string == "succeeded")
            #expect(events.last?["progress_percent"]?.integer == 100)
            #expect(events.last?["result"]?.description == #"{"done":true}"#)
            let ids = events.compactMap(\.id)
            #expect(ids.count == 12)
            #expect(ids == ids.sorted())
        }
    }

    @Test(
        "an envelope that has ended: all of it, and closed at once; after its last event nothing",
        arguments: StoreKind.allCases)
    func alreadyFinal(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            try await finish(gateway)
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.map { $0["status"]?.string } == ["running", "succeeded"])
            let last = try #require(events.last?.id)
            let rest = await (try gateway.client.events("/envelopes/e/stream", lastEventID: "\(last)")).all()
            #expect(rest.isEmpty)
            let beyond = await (try gateway.client.events("/envelopes/e/stream", lastEventID: "9223372036854775807"))
                .all()
            #expect(beyond.isEmpty)
        }
    }

    @Test(
        "many streams that hang up and resume miss nothing and see nothing twice, while others write",
        arguments: StoreKind.allCases)
    func resuming(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            try await withThrowingTaskGroup(of: [Int].self) { group in
                for reader in 0..<6 {
                    group.addTask {
                        var ids: [Int] = []
                        while true {
                            let stream = try await gateway.client.events(
                                "/envelopes/e/stream", lastEventID: ids.last.map(String.init))
                            var count = 0
                            for await event in stream.events where event.comment == nil {
                                ids.append(event.id ?? -1)
                                count += 1
                                if event["status"]?.string == "succeeded" { return ids }
                                if count > reader { break }
                            }
                            stream.hangUp()
                        }
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { writers in
                    for writer in 0..<3 {
                        writers.addTask {
                            for number in 0..<20 { try await self.progress(gateway, writer * 100 + number) }
                        }
                    }
                    try await writers.waitForAll()
                }
                try await finish(gateway)
                var results: [[Int]] = []
                for try await ids in group { results.append(ids) }
                #expect(
                    results.allSatisfy {
                        $0.count == 62 && $0 == results[0] && $0 == $0.sorted() && Set($0).count == 62
                    })
            }
        }
    }

    @Test("two gateways on one database: each streams what the other writes, at once", arguments: StoreKind.allCases)
    func twoGateways(kind: StoreKind) async throws {
        try await withGateway(kind, configure: withoutPolling) { first, database in
            let second = try await TestGateway.start(database.gateway, configure: withoutPolling)
            try await submit(first)
            let stream = try await second.client.events("/envelopes/e/stream")
            var iterator = stream.events.makeAsyncIterator()
            #expect(await iterator.next()?["message"]?.string == "Sending envelope to first actor")
            // Without polling only a notification can bring it.
            try await Task.sleep(for: .milliseconds(300))
            let start = ContinuousClock.now
            try await progress(first, 1)
            #expect(await iterator.next()?["message"]?.string == "step 1")
            try await finish(first)
            #expect(await iterator.next()?["status"]?.string == "succeeded")
            #expect(await iterator.next() == nil)
            #expect(ContinuousClock.now - start < .seconds(5))
            try await second.stop()
        }
    }

    @Test("without notifications streams poll")
    func polling() async throws {
        try await withGateway {
            $0.streamPoll = .milliseconds(200)
        } _: { gateway, database in
            try await database.pool.query("ALTER TABLE envelope_updates DISABLE TRIGGER envelope_updates_notify")
            try await submit(gateway)
            let stream = try await gateway.client.events("/envelopes/e/stream")
            try await progress(gateway, 1)
            try await finish(gateway)
            #expect(await stream.all().count == 3)
        }
    }

    @Test("a listening connection that is lost is made again, and nothing is missed")
    func lostListener() async throws {
        try await withGateway(configure: withoutPolling) { gateway, database in
            try await submit(gateway)
            let stream = try await gateway.client.events("/envelopes/e/stream")
            for number in 0..<5 {
                try await database.pool.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1",
                    [.text("troupe-gateway-listener")])
                try await progress(gateway, number)
            }
            try await finish(gateway)
            #expect(await stream.all().count == 7)
        }
    }

    @Test("silence brings a comment", arguments: StoreKind.allCases)
    func keepAlive(kind: StoreKind) async throws {
        try await withGateway(kind) {
            $0.keepAlive = .milliseconds(300)
        } _: { gateway, _ in
            try await submit(gateway)
            let stream = try await gateway.client.events("/envelopes/e/stream")
            var comments = 0
            for await event in stream.events where event.comment != nil {
                #expect(event.comment == " keepalive")
                comments += 1
                if comments == 2 { break }
            }
            stream.hangUp()
        }
    }

    @Test("a client that hangs up leaves nothing behind", arguments: StoreKind.allCases)
    func hangUp(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            for _ in 0..<10 {
                let stream = try await gateway.client.events("/envelopes/e/stream")
                var iterator = stream.events.makeAsyncIterator()
                _ = await iterator.next()
                stream.hangUp()
            }
            // One that only says that it will send no more, in silence, of each kind.
            for path in ["/envelopes/e/stream", "/envelopes/e/stream?children=true", "/stream"] {
                let socket = try open(path, gateway)
                #expect(try socket.readHead().0 == 200)
                try await Task.sleep(for: .milliseconds(200))
                socket.finishSending()
                while (try? socket.read(atMost: 4096)) != nil {}
                socket.close()
            }
            try await eventually("streams are still open") {
                try await gateway.client.get("/metrics").text.contains("troupe_gateway_sse_streams 0\n")
            }
        }
    }

    @Test("a reader that doesn't read holds nobody up", arguments: StoreKind.allCases)
    func slowReader(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            let big = String(repeating: "x", count: 1 << 20)
            for number in 0..<8 {
                let body =
                    #"{"actors":["a","b"],"current_actor_idx":0,"status":"processing","message":"\#(number)\#(big)"}"#
                #expect(try await gateway.client.post("/envelopes/e/progress", body).status == 200)
            }
            let lazy = try TestSocket(port: gateway.client.port)
            lazy.send(Array("GET /envelopes/e/stream HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            try await Task.sleep(for: .milliseconds(300))
            let stream = try await gateway.client.events("/envelopes/e/stream")
            try await finish(gateway)
            #expect(await stream.all().count == 10)
            // It has lost nothing by being late.
            let (status, headers) = try lazy.readHead()
            let events = await TestEventStream(lazy, status: status, headers: headers).all()
            #expect(events.count == 10)
            let ids = events.compactMap(\.id)
            #expect(ids == ids.sorted() && Set(ids).count == 10)
        }
    }

    @Test("a reader that doesn't read takes no memory but a page's, and loses its connection in the end")
    func unreadHistory() async throws {
        try await withGateway {
            $0.idleTimeout = .seconds(2)
        } _: { gateway, database in
            try await submit(gateway)
            // 192 MiB, of which a page is 6.
            try await database.pool.query(
                "INSERT INTO envelope_updates (envelope_id, status, message) SELECT 'e', 'running', repeat('x', 65536) FROM generate_series(1, 3000)"
            )
            let before = try residentMiB()
            let lazy = try open("/envelopes/e/stream", gateway)
            defer { lazy.close() }
            try await Task.sleep(for: .seconds(1))
            #expect(try residentMiB() - before < 80)
            try await eventually("the connection is still open") {
                try await gateway.client.get("/metrics").text.contains("troupe_gateway_sse_streams 0\n")
            }
        }
    }

    @Test("what a client sends behind its request is not answered within the stream", arguments: StoreKind.allCases)
    func pipelined(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            let last = "Connection: close\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            let socket = try open("/envelopes/e/stream", gateway, last)
            let (status, headers) = try socket.readHead()
            #expect(status == 200)
            let stream = TestEventStream(socket, status: status, headers: headers)
            var iterator = stream.events.makeAsyncIterator()
            _ = await iterator.next()
            socket.send(Array("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            try await progress(gateway, 1)
            #expect(await iterator.next()?["message"]?.string == "step 1")
            try await finish(gateway)
            #expect(await iterator.next()?["status"]?.string == "succeeded")
            #expect(await iterator.next() == nil)
        }
    }

    private func open(_ path: String, _ gateway: TestGateway, _ more: String = "") throws -> TestSocket {
        let socket = try TestSocket(port: gateway.client.port)
        socket.send(Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(more)\r\n".utf8))
        return socket
    }

    private func residentMiB() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) / 1024
    }

    @Test("shutting down ends open streams", arguments: StoreKind.allCases)
    func shutdown(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let gateway = try await TestGateway.start(database.gateway)
            try await submit(gateway)
            let stream = try await gateway.client.events("/envelopes/e/stream")
            var iterator = stream.events.makeAsyncIterator()
            _ = await iterator.next()
            let start = ContinuousClock.now
            try await gateway.stop()
            #expect(await iterator.next() == nil)
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test("shutting down, each stream is told its end, and who doesn't listen holds nobody up")
    func shutdownOfMany() async throws {
        try await withDatabase { database in
            let gateway = try await TestGateway.start(database.gateway) { $0.idleTimeout = .seconds(1) }
            try await submit(gateway)
            try await database.pool.query(
                "INSERT INTO envelope_updates (envelope_id, status, message) SELECT 'e', 'running', repeat('x', 65536) FROM generate_series(1, 300)"
            )
            let deaf = try open("/envelopes/e/stream", gateway)
            defer { deaf.close() }
            let sockets = try (0..<50).map { _ in try open("/stream", gateway) }
            for socket in sockets { #expect(try socket.readHead().0 == 200) }
            let start = ContinuousClock.now
            try await gateway.stop()
            #expect(ContinuousClock.now - start < .seconds(5))
            for socket in sockets {
                // The last chunk: not broken off.
                while let chunk = try socket.readChunk() { #expect(chunk.starts(with: Array("id: ".utf8))) }
                socket.close()
            }
        }
    }
}
