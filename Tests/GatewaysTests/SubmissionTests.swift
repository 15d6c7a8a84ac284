import Envelopes
import EventLoops
import Foundation
import Testing

@testable import Gateways

@Suite("Submissions", .serialized)
struct SubmissionTests {
    private static let tools = """
        tools:
          - name: greet
            parameters: {name: {type: string, required: true}, times: {type: array, items: {type: integer}}}
            route: [hello]
            metadata: {team: a}
        """

    private func withTools(_ kind: StoreKind, _ body: (TestGateway, any TestStore) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "tools.yaml")
        try Data(Self.tools.utf8).write(to: file)
        try await withGateway(kind, configure: { $0.configPath = file.path }, body)
    }

    // MARK: Idempotency

    @Test("the same key and body is answered the same, and submits once", arguments: StoreKind.allCases)
    func repeated(kind: StoreKind) async throws {
        try await withTools(kind) { gateway, database in
            let client = gateway.client
            let requests = [
                ("/envelopes", #"{"route":{"actors":["a"]},"payload":1,"delay_ms":50}"#),
                ("/tools/call", #"{"name":"greet","arguments":{"name":"Ada"}}"#),
            ]
            for (path, body) in requests {
                let headers = ["Idempotency-Key": "order-7\(path)"]
                let first = try await client.post(path, body, headers: headers)
                let second = try await client.post(path, body, headers: headers)
                #expect(first.headers["idempotent-replayed"] == nil)
                #expect(second.headers["idempotent-replayed"] == "true")
                #expect(first.status == second.status && first.body == second.body)
                #expect(first.headers["location"] == second.headers["location"])

                let other = try await client.post(path, body + " ", headers: headers)
                #expect(other.status == 409)
                #expect(other.code == "key_reused")
            }
            try await eventually("not sent") { gateway.transport.published.count == 2 }
            #expect(try await database.count("SELECT count(*) FROM envelopes") == 2)
        }
    }

    @Test("many at once with one key submit once, on two gateways", arguments: StoreKind.allCases)
    func race(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let other = try await TestGateway.start(database.gateway, transport: gateway.transport)
            let answers = try await withThrowingTaskGroup(of: TestClient.Answer.self) { group in
                for number in 0..<40 {
                    let client = number % 2 == 0 ? gateway.client : other.client
                    group.addTask {
                        try await client.post(
                            "/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#,
                            headers: ["Idempotency-Key": "k"])
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 202 })
            #expect(Set(answers.map(\.text)).count == 1)
            #expect(answers.count { $0.headers["idempotent-replayed"] == nil } == 1)
            #expect(try await database.count("SELECT count(*) FROM envelopes") == 1)
            try await other.stop()
        }
    }

    @Test("a request that was refused leaves its key unused", arguments: StoreKind.allCases)
    func refused(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            let headers = ["Idempotency-Key": "k"]
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":2}"#
            #expect(try await client.post("/envelopes", body, headers: headers).code == "duplicate_id")
            #expect(try await database.count("SELECT count(*) FROM idempotency_keys") == 0)
            let long = String(repeating: "k", count: 201)
            for wrong in [long, "two words", "ä"] {
                let answer = try await client.post("/envelopes", body, headers: ["Idempotency-Key": wrong])
                #expect(answer.status == 400)
            }
        }
    }

    // MARK: By tool

    @Test("POST /envelopes takes a tool, and points to each wrong argument", arguments: StoreKind.allCases)
    func byTool(kind: StoreKind) async throws {
        try await withTools(kind) { gateway, _ in
            let client = gateway.client
            let answer = try await client.post(
                "/envelopes", #"{"id":"e","tool":"greet","arguments":{"name":"Ada"},"x":1}"#)
            #expect(answer.status == 202)
            try await eventually("not sent") { gateway.transport.published.count == 1 }
            let message = try #require(gateway.transport.messages(of: "e").first)
            #expect(message.contains(#""x":1"#) && message.contains(#""payload":{"name":"Ada"}"#))
            #expect(!message.contains("greet"))
            #expect(try await client.get("/envelopes/e")["tool"]?.string == "greet")

            let wrong = try await client.post(
                "/envelopes", #"{"tool":"greet","arguments":{"name":"Ada","times":[1,"2"]}}"#)
            #expect(wrong.status == 400)
            #expect(wrong.code == "invalid_arguments")
            #expect(wrong["pointer"]?.string == "/arguments/times/1")
            #expect(wrong["errors"]?.elements.first?["pointer"]?.string == "/arguments/times/1")
            #expect(try await client.post("/envelopes", #"{"tool":"nobody"}"#).code == "unknown_tool")
        }
    }

    // MARK: In bulk

    private func lines(_ answer: TestClient.Answer) throws -> [RawJSON] {
        try answer.text.split(separator: "\n").map { try RawJSON(Array($0.utf8)) }
    }

    @Test("each line is answered, wrong ones keep no other from being accepted", arguments: StoreKind.allCases)
    func bulk(kind: StoreKind) async throws {
        try await withTools(kind) { gateway, _ in
            let body = """
                {"id":"a","route":{"actors":["x"]},"payload":1}

                {"tool":"greet","arguments":{"name":"Ada"}}
                {"tool":"greet","arguments":{"name":1}}
                {"id":"a","route":{"actors":["x"]},"payload":2}
                nonsense
                {"route":{"actors":["happy-end"]},"payload":2}
                {"id":"c","parent_id":"a"}
                {"id":"b","route":{"actors":["x"]},"payload":3}
                """
            let answer = try await gateway.client.post("/envelopes/bulk", body)
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/x-ndjson")
            let lines = try lines(answer)
            #expect(lines.dropLast().map { $0["line"]?.integer } == [1, 3, 4, 5, 6, 7, 8, 9])
            let codes = lines.dropLast().map { $0["error"]?["code"]?.string ?? $0["status"]?.string }
            #expect(
                codes == [
                    "pending", "pending", "invalid_arguments", "duplicate_id", "invalid_json", "invalid_route",
                    "invalid_request", "pending",
                ])
            #expect(lines[2]["error"]?["pointer"]?.string == "/arguments/name")
            #expect(lines.last?.description == #"{"lines":8,"accepted":3,"refused":5}"#)
            try await eventually("not sent") { gateway.transport.published.count == 3 }
        }
    }

    @Test(
        "ten thousand envelopes in one request, and the same once more with the same key", arguments: StoreKind.allCases
    )
    func large(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let body = (0..<10_000).map { #"{"route":{"actors":["x"]},"payload":\#($0)}"# }.joined(separator: "\n")
            for _ in 0..<2 {
                let answer = try await gateway.client.post("/envelopes/bulk", body, headers: ["Idempotency-Key": "k"])
                let lines = try lines(answer)
                #expect(lines.last?["accepted"]?.integer == 10_000)
                #expect(Set(lines.compactMap { $0["id"]?.string }).count == 10_000)
            }
            #expect(try await database.count("SELECT count(*) FROM envelopes") == 10_000)
            try await eventually(within: .seconds(60), "not all were sent") {
                Set(gateway.transport.published.map(\.id)).count == 10_000
            }
        }
    }

    @Test("answers come while lines are still on their way", arguments: StoreKind.allCases)
    func streamed(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let port = gateway.client.port
            let line = #"{"route":{"actors":["x"]},"payload":1}"# + "\n"
            let answers = try await BlockingThread.run {
                Result {
                    let socket = try TestSocket(port: port)
                    defer { socket.close() }
                    func send(_ text: String) {
                        socket.send(Array("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n".utf8))
                    }
                    socket.send(
                        Array(
                            "POST /envelopes/bulk HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                                .utf8))
                    send(line)
                    let status = try socket.readHead().0
                    var answers: [String] = []
                    for _ in 0..<3 {
                        answers.append(String(decoding: try socket.readChunk() ?? [], as: UTF8.self))
                        // A line may come in pieces.
                        send(String(line.prefix(9)))
                        send(String(line.dropFirst(9)))
                    }
                    return (status, answers)
                }
            }.get()
            #expect(answers.0 == 200)
            #expect(answers.1.map { $0.split(separator: "\n").count } == [1, 1, 1])
        }
    }

    @Test("an upload that breaks off has no sums, and what was accepted is sent", arguments: StoreKind.allCases)
    func brokenOff(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let line = #"{"route":{"actors":["x"]},"payload":1}"# + "\n"
            let head = "POST /envelopes/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
            _ = try? await gateway.client.send(raw: Array((head + line + line).utf8), closesEarly: true)
            try await eventually("not sent") { gateway.transport.published.count == 2 }
            #expect(try await gateway.client.get("/health").status == 200)
        }
    }

    @Test("a line above the limit is left out, however it comes", arguments: StoreKind.allCases)
    func longLine(kind: StoreKind) async throws {
        try await withGateway(kind, configure: { $0.maxBody = 2000 }) { gateway, _ in
            let good = #"{"route":{"actors":["x"]},"payload":1}"#
            let long = #"{"route":{"actors":["x"]},"payload":"\#(String(repeating: "x", count: 500_000))"}"#
            let answer = try await gateway.client.post(
                "/envelopes/bulk", [good, long, good, long].joined(separator: "\n"))
            let codes = try lines(answer).dropLast().map { $0["error"]?["code"]?.string }
            #expect(codes == [nil, "body_too_large", nil, "body_too_large"])
        }
    }

    @Test("lines are found wherever the bytes are cut")
    func splitter() {
        let text = "one\n\n  \ntwo\r\nlonger than ten\nthree\nthe last is long"
        for size in 1...text.utf8.count {
            var splitter = LineSplitter(limit: 10)
            var lines: [LineSplitter.Line] = []
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                splitter.append(bytes.prefix(size))
                bytes = bytes.dropFirst(size)
                while let line = splitter.next() { lines.append(line) }
            }
            if let line = splitter.rest() { lines.append(line) }
            #expect(lines.map(\.number) == [1, 4, 5, 6, 7])
            #expect(
                lines.map { $0.bytes.map { String(decoding: $0, as: UTF8.self) } } == [
                    "one", "two\r", nil, "three", nil,
                ])
        }
    }

    // MARK: Back-pressure

    @Test(
        "a full outbox and a broker that blocks are told with 503, and it goes on by itself",
        arguments: StoreKind.allCases)
    func overloaded(kind: StoreKind) async throws {
        try await withGateway(kind, configure: { $0.outboxLimit = 3 }) { gateway, _ in
            let client = gateway.client
            let body = #"{"route":{"actors":["a"]},"payload":1}"#
            gateway.transport.fail(with: .init(.connectionLost, "away"))
            var answers: [TestClient.Answer] = []
            for _ in 0..<5 { answers.append(try await client.post("/envelopes", body)) }
            #expect(answers.map(\.status) == [202, 202, 202, 503, 503])
            #expect(answers.last?.code == "overloaded")
            #expect(answers.last?.headers["retry-after"] == "2")
            #expect(try await client.post("/envelopes/bulk", body).status == 503)
            gateway.transport.fail(with: nil)
            try await eventually("no way back") { try await client.post("/envelopes", body).status == 202 }

            gateway.transport.block("low on memory")
            try await eventually("not told") { try await client.post("/envelopes", body).status == 503 }
            gateway.transport.block(nil)
            try await eventually("no way back") { try await client.post("/envelopes", body).status == 202 }
        }
    }

    @Test("an upload that the outbox has no room for comes further each time it is sent", arguments: StoreKind.allCases)
    func smallOutbox(kind: StoreKind) async throws {
        try await withGateway(kind, configure: { $0.outboxLimit = 1 }) { gateway, _ in
            let lines = (0..<500).map { #"{"route":{"actors":["a"]},"payload":\#($0)}"# }.joined(separator: "\n")
            try await eventually("it never ends") {
                let answer = try await gateway.client.post("/envelopes/bulk", lines, headers: ["Idempotency-Key": "k"])
                if answer.text.hasSuffix(#"{"lines":500,"accepted":500,"refused":0}"# + "\n") { return true }
                try await Task.sleep(for: .milliseconds(300))
                return false
            }
            #expect(gateway.transport.published.count == 500)
        }
    }
}
