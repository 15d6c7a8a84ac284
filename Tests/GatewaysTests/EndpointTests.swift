import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("Endpoints", .serialized)
struct EndpointTests {
    @Test("a submitted envelope is accepted, sent complete, and known", arguments: StoreKind.allCases)
    func submit(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let payload = #"{"b":12345678901234567890, "a":1e400,"a":"\u0000 é"}"#
            let answer = try await gateway.client.post(
                "/envelopes",
                #"{"route":{"actors":["a","b"],"metadata":{"x":1},"extra":[1]},"headers":{"k":"v"},"payload":\#(payload),"more":{"y":2}}"#
            )
            #expect(answer.status == 202)
            let id = try #require(answer["id"]?.string)
            #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
            #expect(answer["status"]?.string == "pending")
            #expect(answer["status_url"]?.string == "/envelopes/\(id)")
            #expect(answer["stream_url"]?.string == "/envelopes/\(id)/stream")
            #expect(answer.headers["location"] == "/envelopes/\(id)")

            try await eventually("nothing was sent") { gateway.transport.published.count == 1 }
            let message = try #require(gateway.transport.published.first)
            #expect(message.destination == .actor("a"))
            #expect(message.id == id)
            let envelope = try Envelope(parsing: message.body)
            #expect(envelope.id == id)
            #expect(envelope.payload.description == payload)
            #expect(envelope.route.actors == ["a", "b"])
            #expect(envelope.route.current == 0)
            #expect(
                envelope.route.unknown.map { "\($0.name ?? ""): \($0.value)" } == [
                    #"metadata: {"x":1,"job_id":"\#(id)"}"#, "extra: [1]",
                ])
            #expect(envelope.headers["k"]?.string == "v")
            #expect(envelope.headers.traceparent != nil)
            #expect(envelope.unknown.map { "\($0.name ?? ""): \($0.value)" } == [#"more: {"y":2}"#])

            let known = try await gateway.client.get("/envelopes/\(id)")
            #expect(known.status == 200)
            #expect(known["payload"]?.description == payload)
            #expect(known["result"]?.kind == .null)
            #expect(known["route"]?["actors"]?.elements.map(\.string) == ["a", "b"])
            #expect(known["total_actors"]?.integer == 2)
            #expect(known["created_at"]?.string?.hasSuffix("Z") == true)
        }
    }

    @Test("the caller's trace is continued, its headers win", arguments: StoreKind.allCases)
    func trace(kind: StoreKind) async throws {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let other = "00-11111111111111111111111111111111-2222222222222222-00"
        try await withGateway(kind) { gateway, _ in
            let body = #"{"id":"one","route":{"actors":["a"]},"payload":1}"#
            _ = try await gateway.client.post("/envelopes", body, headers: ["traceparent": parent])
            let own = #"{"id":"two","route":{"actors":["a"]},"payload":1,"headers":{"traceparent":"\#(other)"}}"#
            _ = try await gateway.client.post("/envelopes", own, headers: ["traceparent": parent])
            let broken = #"{"id":"three","route":{"actors":["a"]},"payload":1}"#
            _ = try await gateway.client.post("/envelopes", broken, headers: ["traceparent": "garbage"])
            try await eventually("not all were sent") { gateway.transport.published.count == 3 }
            let traces = try gateway.transport.published.reduce(into: [:]) {
                $0[$1.id] = try Envelope(parsing: $1.body).headers.traceparent?.description
            }
            #expect(traces["one"] == parent)
            #expect(traces["two"] == other)
            #expect(traces["three"] != nil)
        }
    }

    @Test("a deadline comes from a timeout or as it is", arguments: StoreKind.allCases)
    func deadline(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            func submit(_ id: String, _ more: String) async throws -> TestClient.Answer {
                _ = try await gateway.client.post(
                    "/envelopes", #"{"id":"\#(id)","route":{"actors":["a"]},"payload":1,\#(more)}"#)
                return try await gateway.client.get("/envelopes/\(id)")
            }
            #expect(
                try await submit("given", #""deadline":"2031-05-06T07:08:09+02:00""#)["deadline"]?.string
                    == "2031-05-06T05:08:09.000000Z")
            let timed = try await submit("timed", #""timeout":"90s""#)
            #expect(timed["timeout_seconds"]?.integer == 90)
            #expect(timed["deadline"]?.string != nil)
            try await eventually("not sent") { gateway.transport.published.count == 2 }
            #expect(gateway.transport.messages(of: "given")[0].contains(#""deadline":"2031-05-06T07:08:09+02:00""#))
            #expect(gateway.transport.messages(of: "timed")[0].contains(#""deadline":"20"#))

            _ = try await submit("past", #""deadline":"2031-05-06T07:08:09Z""#)
            try await database.execute("UPDATE envelopes SET deadline = \(database.ago(.zero)) WHERE id = 'past'")
            #expect(try await gateway.client.get("/envelopes/past/active").status == 410)
            #expect(try await gateway.client.get("/envelopes/timed/active").text == #"{"active":true}"#)
            let unknown = try await gateway.client.get("/envelopes/nobody/active")
            #expect(unknown.status == 410)
            #expect(unknown.text == #"{"active":false}"#)
        }
    }

    @Test("progress and final move an envelope to its end, once", arguments: StoreKind.allCases)
    func reports(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a","b"]},"payload":1}"#)
            func progress(_ status: String, _ index: Int) async throws -> TestClient.Answer {
                try await client.post(
                    "/envelopes/e/progress",
                    #"{"actors":["a","b"],"current_actor_idx":\#(index),"status":"\#(status)"}"#)
            }
            #expect(try await progress("received", 0).text == #"{"status":"ok","progress_percent":5}"#)
            #expect(try await progress("processing", 1)["progress_percent"]?.integer == 75)
            #expect(try await progress("processing", 0)["progress_percent"]?.integer == 75)
            #expect(try await client.get("/envelopes/e")["status"]?.string == "running")
            #expect(try await client.get("/envelopes/e/active").status == 200)

            let final =
                #"{"id":"e","status":"succeeded","result":{"n":1e400},"actors":["a","b"],"current_actor_idx":2}"#
            #expect(try await client.post("/envelopes/e/final", final).text == #"{"status":"ok"}"#)
            let failed = #"{"id":"e","status":"failed","error":"too late"}"#
            #expect(try await client.post("/envelopes/e/final", failed).status == 200)
            #expect(try await progress("received", 1).text == #"{"status":"ok","progress_percent":100}"#)

            let envelope = try await client.get("/envelopes/e")
            #expect(envelope["status"]?.string == "succeeded")
            #expect(envelope["result"]?.description == #"{"n":1e400}"#)
            #expect(envelope["error"] == nil)
            #expect(envelope["message"]?.string == "Envelope completed successfully")
            #expect(envelope["actors_completed"]?.integer == 2)
            #expect(try await client.get("/envelopes/e/active").status == 410)

            #expect(
                try await client.post("/envelopes/nobody/progress", #"{"status":"received"}"#).code
                    == "unknown_envelope")
            #expect(try await client.post("/envelopes/nobody/final", #"{"status":"failed"}"#).status == 404)
        }
    }

    @Test("a result of 10 MiB goes through final, GET and the stream", arguments: StoreKind.allCases)
    func largeResult(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            let result = "[" + String(repeating: "\"0123456789abcdef\",", count: (10 << 20) / 16) + "\n1]"
            let answer = try await gateway.client.post(
                "/envelopes/e/final", #"{"status":"succeeded","result":\#(result)}"#)
            #expect(answer.status == 200)
            #expect(try await gateway.client.get("/envelopes/e")["result"]?.bytes.count == result.utf8.count)
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.last?["result"]?.bytes.count == result.utf8.count)
        }
    }

    @Test("a payload of 10 MiB is accepted and sent", arguments: StoreKind.allCases)
    func largePayload(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let payload = "\"" + String(repeating: "x", count: 10 << 20) + "\""
            let answer = try await gateway.client.post(
                "/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":\#(payload)}"#)
            #expect(answer.status == 202)
            try await eventually("not sent") { gateway.transport.published.count == 1 }
            #expect(
                try Envelope(parsing: gateway.transport.published[0].body).payload.bytes.count == payload.utf8.count)
        }
    }

    @Test(
        "a client that asks before it sends a large body is told to go on, or that it is too large",
        arguments: StoreKind.allCases)
    func expectContinue(kind: StoreKind) async throws {
        try await withGateway(kind) {
            $0.maxBody = 4096
        } _: { gateway, _ in
            let port = gateway.client.port
            let body = Array(#"{"id":"e","route":{"actors":["a"]},"payload":1}"#.utf8)
            func ask(_ length: Int) throws -> (TestSocket, Int) {
                let socket = try TestSocket(port: port)
                socket.send(
                    Array(
                        "POST /envelopes HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(length)\r\nExpect: 100-continue\r\n\r\n"
                            .utf8))
                return (socket, try socket.readHead().0)
            }
            let (accepted, go) = try ask(body.count)
            #expect(go == 100)
            accepted.send(body)
            let answer = try accepted.readHead()
            #expect(answer.0 == 202)
            accepted.close()
            let (refused, status) = try ask(5000)
            #expect(status == 413)
            refused.close()
        }
    }

    @Test("children of a fan-out are registered once, listed, and sent nowhere", arguments: StoreKind.allCases)
    func children(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            for body in [
                #"{"id":"p-1","parent_id":"p","actors":["a","b"],"current":1}"#,
                #"{"id":"p-1","parent_id":"p","actors":["a","b"],"current":1}"#,
                #"{"id":"p-2","parent_id":"p","route":{"actors":["a","b"],"current":1}}"#,
                #"{"id":"p-3","parent_id":"p"}"#,
            ] {
                let answer = try await client.post("/envelopes", body)
                #expect(answer.status == 201)
                #expect(answer["status"]?.string == "created")
            }
            let list = try await client.get("/envelopes?parent=p")
            #expect(list["envelopes"]?.elements.map { $0["id"]?.string } == ["p-1", "p-2", "p-3"])
            #expect(list["envelopes"]?.elements[0]["current_actor_idx"]?.integer == 1)
            #expect(try await client.get("/envelopes?parent=p&limit=2")["envelopes"]?.elements.count == 2)
            #expect(try await client.get("/envelopes?parent=nobody").text == #"{"envelopes":[]}"#)
            try await Task.sleep(for: .milliseconds(200))
            #expect(gateway.transport.published.isEmpty)
        }
    }

    @Test("a tool call checks arguments, fills in defaults and sends them", arguments: StoreKind.allCases)
    func tools(kind: StoreKind) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "tools-\(UUID().uuidString).yaml")
        try Data(
            """
            defaults: {timeout: 300}
            tools:
              - {name: go, description: Goes, route: [a], metadata: {m: 1}, parameters: {x: {type: integer, required: true}, y: {type: string, default: z}}}
              - {name: quiet, route: [a], progress: false}
            """.utf8
        ).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await withGateway(kind) {
            $0.configPath = file.path
        } _: { gateway, _ in
            let client = gateway.client
            let answer = try await client.post("/tools/call", #"{"name":"go","arguments":{"x":1,"extra":[true]}}"#)
            #expect(answer.status == 200)
            #expect(answer["isError"]?.boolean == false)
            let text = try #require(answer["content"]?.elements[0]["text"]?.string)
            let result = try RawJSON(Array(text.utf8))
            let id = try #require(result["envelope_id"]?.string)
            #expect(result["status_url"]?.string == "/envelopes/\(id)")
            #expect(result["stream_url"]?.string == "/envelopes/\(id)/stream")
            #expect(result["metadata"]?.description == #"{"m":1}"#)
            try await eventually("not sent") { gateway.transport.published.count == 1 }
            let message = gateway.transport.messages(of: id)[0]
            #expect(message.hasSuffix(#""payload":{"x":1,"extra":[true],"y":"z"}}"#))
            #expect(message.contains(#""deadline":""#))
            #expect(try await client.get("/envelopes/\(id)")["timeout_seconds"]?.integer == 300)

            func call(_ more: String) async throws -> TestClient.Answer {
                let answer = try await client.post("/tools/call", #"{"name":"go","arguments":{"x":1},\#(more)}"#)
                guard answer.status == 200 else { return answer }
                let text = try #require(answer["content"]?.elements[0]["text"]?.string)
                return try await client.get("/envelopes/\(RawJSON(Array(text.utf8))["envelope_id"]?.string ?? "")")
            }
            let short = try await call(#""timeout":"20s","delay_ms":1000"#)
            #expect(short["timeout_seconds"]?.integer == 20)
            #expect(short["not_before"]?.string != nil)
            let until = try await call(#""deadline":"2041-02-03T04:05:06Z","not_before":"2031-02-03T04:05:06Z""#)
            #expect(until["deadline"]?.string == "2041-02-03T04:05:06.000000Z")
            #expect(until["not_before"]?.string == "2031-02-03T04:05:06.000000Z")
            #expect(try await call(#""deadline":"tomorrow""#).code == "invalid_deadline")

            let missing = try await client.post("/tools/call", #"{"name":"go"}"#)
            #expect(missing.status == 200)
            #expect(
                missing.text == #"{"content":[{"type":"text","text":"missing required parameter: x"}],"isError":true}"#)
            let quiet = try await client.post("/tools/call", #"{"name":"quiet","arguments":null}"#)
            #expect(quiet["content"]?.elements[0]["text"]?.string?.contains("stream_url") == false)

            #expect(try await client.post("/tools/call", #"{"name":"none"}"#).status == 404)
            #expect(try await client.post("/tools/call", #"{"arguments":{}}"#).status == 400)
            #expect(try await client.post("/tools/call", #"{"name":"go","arguments":[]}"#).status == 400)
            #expect(try await client.get("/tools/call").status == 405)
            #expect(try await client.get("/tools")["tools"]?.elements.map { $0["name"]?.string } == ["go", "quiet"])
        }
    }

    @Test("health, readiness, metrics", arguments: StoreKind.allCases)
    func health(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            #expect(try await client.get("/health").text == "OK")
            let head = try await client.send("HEAD", "/health")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(try await client.get("/readyz").status == 200)
            gateway.transport.impede("not connected")
            let unready = try await client.get("/readyz")
            #expect(unready.status == 503)
            #expect(unready.text == "broker: not connected\n")
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            _ = try await client.post("/envelopes/e/final", #"{"status":"failed"}"#)
            try await eventually("metrics don't tell") {
                let text = try await client.get("/metrics").text
                return text.contains("troupe_gateway_envelopes_submitted_total 1\n")
                    && text.contains(#"troupe_gateway_envelopes_finished_total{status="failed"} 1"#)
                    && text.contains("troupe_gateway_outbox_published_total 1\n")
                    && text.contains("troupe_gateway_outbox_messages 0\n")
                    && text.contains(
                        #"http_requests_total{method="POST",route="/envelopes/{id}/final",status="200"} 1"#)
            }
        }
    }
}
