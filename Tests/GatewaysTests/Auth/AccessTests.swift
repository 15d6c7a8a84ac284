import Envelopes
import Faults
import Foundation
import Testing

@testable import Gateways

@Suite("Who may do what", .serialized)
struct AccessTests {
    /// Every endpoint that there is, and whom it lets in; `nil`: everybody.
    private static let decisions: [(method: String, path: String, scopes: Set<Scope>?)] = [
        ("POST", "/envelopes", [.submit]),
        ("POST", "/envelopes/bulk", [.submit]),
        ("GET", "/envelopes", [.read]),
        ("GET", "/envelopes/{id}", [.read]),
        ("GET", "/envelopes/{id}/history", [.read]),
        ("GET", "/envelopes/{id}/result", [.read]),
        ("GET", "/envelopes/{id}/stream", [.read]),
        ("GET", "/envelopes/{id}/active", Set(Scope.allCases)),
        ("DELETE", "/envelopes/{id}", [.operate]),
        ("POST", "/envelopes/{id}/cancel", [.operate]),
        ("POST", "/envelopes/{id}/retry", [.operate]),
        ("POST", "/envelopes/{id}/progress", [.internal]),
        ("POST", "/envelopes/{id}/final", [.internal]),
        ("GET", "/stream", [.read]),
        ("GET", "/actors", [.read]),
        ("GET", "/actors/{name}", [.read]),
        ("POST", "/actors/{name}/pause", [.operate]),
        ("POST", "/actors/{name}/resume", [.operate]),
        ("GET", "/queues", [.read]),
        ("GET", "/faults", [.read]),
        ("POST", "/faults", [.operate]),
        ("DELETE", "/faults", [.operate]),
        ("DELETE", "/faults/{id}", [.operate]),
        ("GET", "/dead-letters", [.operate]),
        ("POST", "/dead-letters/replay", [.operate]),
        ("POST", "/dead-letters/purge", [.operate]),
        ("GET", "/dead-letters/{actor}/{id}", [.operate]),
        ("GET", "/tools", Set(Scope.allCases)),
        ("POST", "/tools/call", [.submit]),
        ("POST", "/mcp", Set(Scope.allCases)),
        ("GET", "/mcp", Set(Scope.allCases)),
        ("DELETE", "/mcp", Set(Scope.allCases)),
        ("GET", "/metrics", [.read]),
        ("GET", "/health", nil), ("HEAD", "/health", nil), ("GET", "/healthz", nil), ("HEAD", "/healthz", nil),
        ("GET", "/readyz", nil), ("HEAD", "/readyz", nil), ("GET", "/openapi.json", nil),
    ]

    @Test("every endpoint lets in whom it must, and nobody else")
    func matrix() async throws {
        try await withKeys(configure: { $0.faults = FaultBounds() }) { gateway, keys in
            let document = try await gateway.client.get("/openapi.json")
            let paths = try #require(document["paths"]).members
            let served = paths.flatMap { path in
                path.value.members.map { "\($0.name?.uppercased() ?? "") \(path.name ?? "")" }
            }
            #expect(Set(served) == Set(Self.decisions.map { "\($0.method) \($0.path)" }), "no route without a decision")
            for (method, path, scopes) in Self.decisions {
                // A stream that is let in would not end.
                let target = path == "/stream" ? "/stream?status=x" : path.replacing(/\{[a-z]+\}/, with: "x")
                func status(_ headers: [String: String]) async throws -> TestClient.Answer {
                    try await gateway.client.send(
                        method, target, headers: headers, body: method == "POST" ? Array("{}".utf8) : nil)
                }
                let stranger = try await status([:])
                #expect((stranger.status == 401) == (scopes != nil), "\(method) \(path): \(stranger.status)")
                if stranger.status == 401 {
                    #expect(stranger.code == "unauthenticated")
                    #expect(stranger.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                }
                for scope in Scope.allCases {
                    let answer = try await status(keys.headers(scope))
                    let isAllowed = scopes?.contains(scope) ?? true
                    #expect(
                        ![401, isAllowed ? 403 : 401].contains(answer.status)
                            && (isAllowed || answer.status == 403), "\(scope): \(method) \(path): \(answer.status)")
                    guard !isAllowed else { continue }
                    #expect(answer.code == "insufficient_scope")
                    let needed = scopes?.first?.rawValue ?? ""
                    #expect(
                        answer.headers["www-authenticate"]
                            == #"Bearer error="insufficient_scope", scope="\#(needed)""#)
                }
            }
        }
    }

    @Test("children of a fan-out are the sidecars' to register, envelopes are not")
    func children() async throws {
        try await withKeys { gateway, keys in
            let child = #"{"id":"c","parent_id":"p","route":{"actors":["a"]}}"#
            let envelope = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            let clients = { gateway.client.with(keys.headers($0)) }
            let submitted = try await clients(.submit).post("/envelopes", envelope)
            #expect(submitted.status == 202)
            #expect(try await clients(.submit).post("/envelopes", child).status == 403)
            #expect(try await clients(.internal).post("/envelopes", child).status == 201)
            #expect(try await clients(.internal).post("/envelopes", envelope).status == 403)
        }
    }

    @Test("a key is taken from either header, once; never from the URL")
    func credentials() async throws {
        try await withKeys { gateway, keys in
            let key = keys[.read]
            let path = "/envelopes/x"
            #expect(try await gateway.client.with(["Authorization": "Bearer \(key)"]).get(path).status == 404)
            #expect(try await gateway.client.with(["authorization": "bearer  \(key)"]).get(path).status == 404)
            #expect(try await gateway.client.with(["X-API-Key": key]).get(path).status == 404)
            #expect(
                try await gateway.client.with(["X-API-Key": key, "Authorization": "Bearer \(key)"]).get(path).status
                    == 401)
            #expect(try await gateway.client.with(["Authorization": "Basic \(key)"]).get(path).status == 401)
            #expect(try await gateway.client.with(["Authorization": "Bearer \(key) \(key)"]).get(path).status == 401)
            #expect(try await gateway.client.with(["Authorization": key]).get(path).status == 401)
            #expect(try await gateway.client.with(["X-API-Key": ""]).get(path).status == 401)
            #expect(try await gateway.client.with(["X-API-Key": key + "x"]).get(path).status == 401)
            #expect(try await gateway.client.with(["X-API-Key": String(key.dropLast())]).get(path).status == 401)
            for name in ["key", "api_key", "access_token", "token"] {
                #expect(try await gateway.client.get("/envelopes/x?\(name)=\(key)").status == 401)
            }
            // Unknown paths and wrong methods tell nothing.
            let nowhere = try await gateway.client.get("/nowhere")
            #expect(nowhere.status == 404)
        }
    }

    @Test("refusals are logged and counted with their reason, and never the credential")
    func refusals() async throws {
        let log = RecordingLog()
        try await withKeys(logger: log.logger) { gateway, keys in
            let secret = "troupe_" + String(repeating: "Secret", count: 7) + "x"
            _ = try await gateway.client.get("/envelopes/x", headers: ["X-API-Key": secret])
            _ = try await gateway.client.get("/envelopes/x", headers: ["Authorization": "Bearer eyJhbGciOi.\(secret)"])
            _ = try await gateway.client.get("/envelopes/x?key=\(secret)")
            _ = try await gateway.client.get("/envelopes/x", headers: keys.headers(.submit))
            let metrics = try await gateway.client.get("/metrics", headers: keys.headers(.read)).text
            for (reason, count) in [("unknown_key", 2), ("missing", 1), ("insufficient_scope", 1), ("expired_key", 0)] {
                #expect(
                    metrics.contains("troupe_gateway_auth_failures_total{reason=\"\(reason)\"} \(count)\n"), "\(reason)"
                )
            }
            #expect(
                log.lines.contains {
                    $0.contains("request refused") && $0.contains("reason=insufficient_scope")
                        && $0.contains("principal=key:submit") && $0.contains("peer=127.0.0.1")
                })
            #expect(!log.lines.contains { $0.contains("Secret") || $0.contains(keys[.submit].dropFirst(7)) })
        }
    }

    @Test("keys are read again: new ones count, removed ones don't, and a file with mistakes changes nothing")
    func reload() async throws {
        let log = RecordingLog()
        try await withKeys(logger: log.logger) { gateway, keys in
            var keys = keys
            let path = "/envelopes/x"
            let key = try keys.add("new", [.read])
            try await eventually("a new key counts") {
                try await gateway.client.with(key.headers).get(path).status == 404
            }
            try keys.write("- {name: broken}")
            try await eventually("the mistake is told") {
                log.lines.contains { $0.contains("API keys stay as they are") }
            }
            #expect(try await gateway.client.with(key.headers).get(path).status == 404)
            try keys.write(APIKey.random().entry(name: "other", scopes: ["read"]))
            try await eventually("a removed key doesn't count") {
                try await gateway.client.with(key.headers).get(path).status == 401
            }
            try keys.write("")
            try FileManager.default.removeItem(atPath: keys.path)
            try await eventually("a file that is gone is told") { log.lines.contains { $0.contains("cannot be read") } }
        }
    }

    @Test("a port of their own for sidecars: reports there only, metrics for whoever gets there")
    func internalPort() async throws {
        try await withKeys(configure: { $0.server.internalPort = 0 }) { gateway, keys in
            let (outside, inside) = (gateway.client, gateway.inside)
            #expect(outside.port != inside.port)
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await outside.post("/envelopes", body, headers: keys.headers(.submit)).status == 202)
            let final = #"{"status":"succeeded","result":1}"#
            // Not 404: a sidecar takes that for an envelope that is gone.
            let misdirected = try await outside.post("/envelopes/e/final", final, headers: keys.headers(.internal))
            #expect(misdirected.status == 421)
            #expect(misdirected["detail"]?.string?.contains("TROUPE_GATEWAY_INTERNAL_PORT") == true)
            let child = #"{"id":"c","parent_id":"e","route":{"actors":["a"]}}"#
            #expect(try await outside.post("/envelopes", child, headers: keys.headers(.internal)).status == 421)
            #expect(try await inside.post("/envelopes", child, headers: keys.headers(.internal)).status == 201)
            #expect(try await inside.post("/envelopes/e/final", final).status == 401)
            #expect(try await inside.post("/envelopes/e/final", final, headers: keys.headers(.internal)).status == 200)
            #expect(
                try await outside.get("/envelopes/e", headers: keys.headers(.read))["status"]?.string == "succeeded")
            #expect(try await inside.get("/envelopes/e", headers: keys.headers(.read)).status == 421)
            #expect(try await inside.get("/metrics").status == 200)
            #expect(try await outside.get("/metrics").status == 401)
            for client in [outside, inside] { #expect(try await client.get("/healthz").status == 200) }
        }
    }

    @Test("a caller's rate, and of all without one of their own; sidecars are not held up")
    func rates() async throws {
        var keys = try Keys()
        let slow = try keys.add("slow", [.read], more: "  rate: 1\n")
        try await withKeys(keys) {
            $0.auth.rate = 3
        } _: { gateway, keys in
            func count(_ headers: [String: String]) async throws -> Int {
                var count = 0
                for _ in 1...8 {
                    let answer = try await gateway.client.get("/envelopes/x/active", headers: headers)
                    if answer.status == 410 {
                        count += 1
                    } else {
                        #expect(answer.status == 429)
                        #expect(answer.code == "rate_limited")
                        #expect(answer.headers["retry-after"] == "1")
                    }
                }
                return count
            }
            let slowly = try await count(slow.headers)
            let others = try await count(keys.headers(.submit))
            #expect(slowly == 1)
            #expect((3...4).contains(others))
            for _ in 1...8 {
                let answer = try await gateway.client.post(
                    "/envelopes/x/progress", "{}", headers: keys.headers(.internal))
                #expect(answer.status == 400)
            }
            for _ in 1...20 { #expect(try await gateway.client.get("/healthz").status == 200) }
        }
        // Without authentication by address.
        try await withGateway {
            $0.auth.rate = 1
        } _: { gateway, _ in
            let first = try await gateway.client.get("/envelopes/x/active")
            #expect(first.status == 410)
            #expect(try await gateway.client.get("/envelopes/x/active").status == 429)
        }
    }

    @Test("open streams: of one caller, and of all; a place is free again after a hang-up")
    func streams() async throws {
        var keys = try Keys()
        let modest = try keys.add("modest", [.read, .submit], more: "  streams: 1\n").headers
        try await withKeys(keys) {
            $0.auth.streamLimit = 2
        } _: { gateway, keys in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await gateway.client.post("/envelopes", body, headers: modest).status == 202)
            let first = try await gateway.client.events("/envelopes/e/stream", headers: modest)
            #expect(first.status == 200)
            let second = try await gateway.client.get("/envelopes/e/stream", headers: modest)
            #expect(second.status == 429)
            #expect(second.code == "too_many_streams")
            let others = try await gateway.client.events("/envelopes/e/stream", headers: keys.headers(.read))
            #expect(others.status == 200)
            let third = try await gateway.client.get("/envelopes/e/stream", headers: keys.headers(.read))
            #expect(third.status == 503)
            #expect(third.code == "streams_exhausted")
            #expect(third.headers["retry-after"] != nil)
            first.hangUp()
            others.hangUp()
            try await eventually("the place is free") {
                let again = try await gateway.client.events("/envelopes/e/stream", headers: modest)
                again.hangUp()
                return again.status == 200
            }
        }
    }
}
