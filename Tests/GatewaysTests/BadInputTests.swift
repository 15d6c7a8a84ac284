import Envelopes
import Testing

@testable import Gateways

/// Whatever comes in, a clean 4xx goes out, and the gateway goes on.
@Suite("Bad input", .serialized)
struct BadInputTests {
    private struct Case {
        var body: String
        var code: String
        var pointer: String?
        var status = 400
        init(_ body: String, _ code: String, _ pointer: String? = nil, status: Int = 400) {
            (self.body, self.code, self.pointer, self.status) = (body, code, pointer, status)
        }
    }

    @Test("submissions")
    func submissions() async throws {
        let route = #""route":{"actors":["a"]}"#
        let deep = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
        let cases = [
            Case("", "invalid_json"), Case(" ", "invalid_json"), Case("{", "invalid_json"), Case("nul", "invalid_json"),
            Case(#"{"a":1"#, "invalid_json"), Case("{'a':1}", "invalid_json"), Case(#"{"a":01}"#, "invalid_json"),
            Case("[]", "invalid_request", ""), Case("7", "invalid_request", ""), Case("null", "invalid_request", ""),
            Case("{}", "invalid_route", "/route"), Case(#"{"payload":1}"#, "invalid_route", "/route"),
            Case("{\(route)}", "invalid_request", "/payload"),
            Case(#"{"route":[],"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{},"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{"actors":[]},"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{"actors":"a"},"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{"actors":[1]},"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{"actors":[""]},"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{"actors":["a"],"current":1},"payload":1}"#, "invalid_route", "/route/current"),
            Case(#"{"route":{"actors":["a"],"current":"0"},"payload":1}"#, "invalid_route", "/route"),
            Case(#"{"route":{"actors":["a","happy-end"]},"payload":1}"#, "invalid_route", "/route/actors/1"),
            Case(#"{"route":{"actors":["error-end"]},"payload":1}"#, "invalid_route", "/route/actors/0"),
            Case(##"{"route":{"actors":["#"]},"payload":1}"##, "invalid_route", "/route/actors/0"),
            Case(#"{"route":{"actors":["a\u0000"]},"payload":1}"#, "invalid_route", "/route/actors/0"),
            Case(#"{"route":{"actors":["../x"]},"payload":1}"#, "invalid_route", "/route/actors/0"),
            Case(
                #"{"route":{"actors":["\#(String(repeating: "a", count: 201))"]},"payload":1}"#, "invalid_route",
                "/route/actors/0"),
            Case(
                #"{"route":{"actors":[\#(Array(repeating: "\"a\"", count: 1001).joined(separator: ","))]},"payload":1}"#,
                "invalid_route", "/route/actors"),
            Case(#"{"id":7,\#(route),"payload":1}"#, "invalid_request", "/id"),
            Case(#"{"id":"",\#(route),"payload":1}"#, "invalid_id", "/id"),
            Case(#"{"id":"a b",\#(route),"payload":1}"#, "invalid_id", "/id"),
            Case(#"{"id":"ä",\#(route),"payload":1}"#, "invalid_id", "/id"),
            Case(#"{"id":"a\u0000",\#(route),"payload":1}"#, "invalid_id", "/id"),
            Case(#"{"id":"../../etc",\#(route),"payload":1}"#, "invalid_id", "/id"),
            Case(#"{"id":"\#(String(repeating: "a", count: 201))",\#(route),"payload":1}"#, "invalid_id", "/id"),
            Case(#"{"id":"a","id":"b",\#(route),"payload":1}"#, "invalid_request", "/id"),
            Case(#"{\#(route),"payload":1,"payload":2}"#, "invalid_request", "/payload"),
            Case(#"{\#(route),"payload":1,"headers":[]}"#, "invalid_request", "/headers"),
            Case(#"{\#(route),"payload":1,"timeout":0}"#, "invalid_request", "/timeout"),
            Case(#"{\#(route),"payload":1,"timeout":"soon"}"#, "invalid_request", "/timeout"),
            Case(#"{\#(route),"payload":1,"timeout":1e300}"#, "invalid_request", "/timeout"),
            Case(#"{\#(route),"payload":1,"deadline":"tomorrow"}"#, "invalid_deadline", "/deadline"),
            Case(#"{\#(route),"payload":1,"deadline":"2026-06-31T00:00:00Z"}"#, "invalid_deadline", "/deadline"),
            Case(#"{\#(route),"payload":1,"deadline":"2026-06-30T99:00:00Z"}"#, "invalid_deadline", "/deadline"),
            Case(#"{\#(route),"payload":1,"deadline":7}"#, "invalid_request", "/deadline"),
            Case(#"{\#(route),"payload":1,"deadline":"2001-01-01T00:00:00Z"}"#, "invalid_deadline", "/deadline"),
            Case(#"{\#(route),"payload":1,"timeout":"0h30"}"#, "invalid_request", "/timeout"),
            Case(#"{\#(route),"payload":1,"delay_ms":-1}"#, "invalid_request", "/delay_ms"),
            Case(#"{\#(route),"payload":1,"delay_ms":1.5}"#, "invalid_request", "/delay_ms"),
            Case(#"{\#(route),"payload":1,"delay_ms":"1"}"#, "invalid_request", "/delay_ms"),
            Case(#"{\#(route),"payload":1,"delay_ms":316224000001}"#, "invalid_request", "/delay_ms"),
            Case(#"{\#(route),"payload":1,"delay_ms":1,"delay_ms":2}"#, "invalid_request", "/delay_ms"),
            Case(#"{\#(route),"payload":1,"not_before":7}"#, "invalid_request", "/not_before"),
            Case(#"{\#(route),"payload":1,"not_before":"soon"}"#, "invalid_request", "/not_before"),
            Case(#"{\#(route),"payload":1,"not_before":"9999-01-01T00:00:00Z"}"#, "invalid_request", "/not_before"),
            Case(
                #"{\#(route),"payload":1,"not_before":"2031-01-01T00:00:00Z","delay_ms":1}"#, "invalid_request",
                "/delay_ms"),
            Case(
                #"{\#(route),"payload":1,"not_before":"2031-01-01T00:00:01Z","deadline":"2031-01-01T00:00:01Z"}"#,
                "invalid_deadline", "/deadline"),
            Case(#"{"parent_id":7,"id":"x"}"#, "invalid_request", "/parent_id"),
            Case(#"{"parent_id":"p"}"#, "invalid_request", "/id"),
            Case(#"{"parent_id":"p","id":"a b"}"#, "invalid_id", "/id"),
            Case(#"{"parent_id":"","id":"a"}"#, "invalid_id", "/parent_id"),
            Case(#"{"parent_id":"p","id":"x","actors":7}"#, "invalid_route", "/route"),
            Case(#"{"parent_id":"p","id":"x","actors":["a"],"current":"1"}"#, "invalid_route", "/route"),
            Case(#"{\#(route),"payload":\#(deep)}"#, "nesting_too_deep"),
        ]
        try await withGateway { gateway, database in
            for `case` in cases {
                let answer = try await gateway.client.post("/envelopes", `case`.body)
                let label = Comment(rawValue: "\(`case`.body.prefix(120)) -> \(answer.text)")
                #expect(answer.status == `case`.status, label)
                #expect(answer.code == `case`.code, label)
                #expect(answer["pointer"]?.string == `case`.pointer, label)
                #expect(answer.headers["content-type"] == "application/problem+json", label)
            }
            #expect(try await database.pool.query("SELECT count(*) FROM envelopes")[0].integer(0) == 0)
            #expect(gateway.transport.published.isEmpty)
        }
    }

    @Test("the same id twice is a conflict")
    func conflict() async throws {
        try await withGateway { gateway, _ in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            let answer = try await gateway.client.post("/envelopes", body)
            #expect(answer.status == 409)
            #expect(answer.code == "duplicate_id")
        }
    }

    @Test("reports", arguments: StoreKind.allCases)
    func reports(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            let cases = [
                ("progress", "", "invalid_json"), ("progress", "[]", "invalid_report"),
                ("progress", "{}", "invalid_report"),
                ("progress", #"{"status":7}"#, "invalid_report"), ("progress", #"{"status":"done"}"#, "invalid_report"),
                ("progress", #"{"status":"received","actors":"a"}"#, "invalid_report"),
                ("progress", #"{"status":"received","actors":[1]}"#, "invalid_report"),
                ("progress", #"{"status":"received","current_actor_idx":"1"}"#, "invalid_report"),
                ("progress", #"{"status":"received","message":{}}"#, "invalid_report"),
                ("progress", #"{"status":"received""#, "invalid_json"), ("final", "", "invalid_json"),
                ("final", "{}", "invalid_report"),
                ("final", #"{"status":"running"}"#, "invalid_report"),
                ("final", #"{"status":"succeeded","error":7}"#, "invalid_report"),
            ]
            for (endpoint, body, code) in cases {
                let answer = try await gateway.client.post("/envelopes/e/\(endpoint)", body)
                #expect(answer.status == 400, "\(endpoint) \(body)")
                #expect(answer.code == code, "\(endpoint) \(body): \(answer.text)")
            }
            let odd =
                #"{"status":"received","current_actor_idx":1e18,"actors":["a"],"message":"\u0000","duration_ms":-1}"#
            #expect(try await gateway.client.post("/envelopes/e/progress", odd).status == 200)
            #expect(try await gateway.client.get("/envelopes/e")["status"]?.string == "running")
        }
    }

    @Test("bytes that are no UTF-8, and NUL escapes", arguments: StoreKind.allCases)
    func encodings(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let notUTF8 = Array(#"{"route":{"actors":["a"]},"payload":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
            let answer = try await gateway.client.send("POST", "/envelopes", body: notUTF8)
            #expect(answer.status == 400)
            #expect(answer.code == "invalid_json")
            let rawNUL = Array(#"{"route":{"actors":["a"]},"payload":""#.utf8) + [0] + Array(#""}"#.utf8)
            #expect(try await gateway.client.send("POST", "/envelopes", body: rawNUL).status == 400)
        }
    }

    @Test("too large a body is refused before it is read, and while it is read")
    func oversize() async throws {
        try await withGateway {
            $0.maxBody = 4096
        } _: { gateway, _ in
            let head =
                "POST /envelopes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 104857600\r\n\r\n"
            let announced = try await gateway.client.send(raw: Array(head.utf8))
            #expect(announced.status == 413)
            #expect(announced.code == "body_too_large")
            var chunked = Array(
                "POST /envelopes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .utf8)
            for _ in 0..<5 {
                chunked += Array("400\r\n".utf8) + Array(repeating: UInt8(ascii: " "), count: 1024) + Array("\r\n".utf8)
            }
            #expect(try await gateway.client.send(raw: chunked).status == 413)
            #expect(try await gateway.client.get("/health").status == 200)
        }
    }

    @Test("broken requests leave the gateway running")
    func brokenRequests() async throws {
        try await withGateway { gateway, _ in
            let requests = [
                "garbage\r\n\r\n", "POST /envelopes HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                "POST /envelopes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"route\"",
                "GET /envelopes/\0 HTTP/1.1\r\n\r\n",
                "GET /" + String(repeating: "x", count: 200_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "GET /health HTTP/1.1\r\n" + (0..<5000).map { "h\($0): x\r\n" }.joined() + "\r\n", "",
            ]
            for request in requests {
                if let answer = try? await gateway.client.send(raw: Array(request.utf8), closesEarly: true) {
                    #expect((400..<500).contains(answer.status), "\(request.prefix(60)) -> \(answer.status)")
                }
                let health = try await gateway.client.get("/health")
                #expect(health.status == 200)
            }
        }
    }

    @Test("paths and methods that lead nowhere")
    func paths() async throws {
        try await withGateway { gateway, _ in
            let client = gateway.client
            #expect(try await client.get("/nowhere").code == "not_found")
            #expect(try await client.get("/envelopes/none").code == "unknown_envelope")
            #expect(try await client.get("/envelopes/none/stream").code == "unknown_envelope")
            for path in [
                "/envelopes/%00", "/envelopes/%ff", "/envelopes/%zz", "/envelopes/..%2f..%2fetc",
                "/envelopes/'%20OR%201=1--",
            ] {
                let answer = try await client.get(path)
                #expect(answer.status == 404, "\(path)")
            }
            let put = try await client.send("PUT", "/envelopes/e")
            #expect(put.status == 405)
            #expect(put.headers["allow"] == "DELETE, GET")
            #expect(try await client.get("/envelopes?parnet=x").code == "invalid_request")
            for query in ["parent=", "parent=%00", "parent=p&limit=0", "parent=p&limit=x", "parent=p&limit=1001"] {
                #expect(try await client.get("/envelopes?\(query)").status == 400, "\(query)")
            }
            _ = try await client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            #expect(try await client.get("/envelopes/e/stream", headers: ["Last-Event-ID": "x"]).status == 400)
            #expect(try await client.get("/envelopes/e/stream", headers: ["Last-Event-ID": "-1"]).status == 400)
        }
    }
}
