import Envelopes
import EventLoops
import Foundation
import JWTKit
import Testing

@testable import Gateways

@Suite("Which tokens count")
struct TokenPolicyTests {
    let policy = TokenPolicy(issuers: ["https://a", "https://b"], audiences: ["https://t", "https://t/mcp"])

    func reason(_ claims: String, now: Double = 1000) throws -> AuthFailure.Reason? {
        let claims = try RawJSON(Array(claims.utf8))
        do throws(AuthFailure) {
            _ = try policy.principal(claims, now: now)
            return nil
        } catch { return error.reason }
    }

    @Test("claims that count, and what comes of them")
    func counting() throws {
        let claims =
            #"{"iss":"https://b","sub":"x","aud":["z","https://t/mcp"],"exp":1010,"scope":"read write","scp":["submit","admin operate"]}"#
        let principal = try policy.principal(RawJSON(Array(claims.utf8)), now: 1000)
        #expect(principal == Principal(id: "jwt:https://b#x", scopes: [.read, .submit, .operate]))
        #expect(try reason(#"{"iss":"https://a","client_id":"x","aud":"https://t","exp":1010.5}"#) == nil)
    }

    @Test(
        "claims that don't",
        arguments: [
            (#"{"sub":"x","aud":"https://t","exp":1010}"#, .wrongIssuer),
            (#"{"iss":"https://c","sub":"x","aud":"https://t","exp":1010}"#, .wrongIssuer),
            (#"{"iss":["https://a"],"sub":"x","aud":"https://t","exp":1010}"#, .wrongIssuer),
            (#"{"iss":"https://a","sub":"x","exp":1010}"#, .wrongAudience),
            (#"{"iss":"https://a","sub":"x","aud":"https://t/","exp":1010}"#, .wrongAudience),
            (#"{"iss":"https://a","sub":"x","aud":[],"exp":1010}"#, .wrongAudience),
            (#"{"iss":"https://a","sub":"x","aud":{"a":"https://t"},"exp":1010}"#, .wrongAudience),
            (#"{"iss":"https://a","sub":"x","aud":"https://t"}"#, .malformedToken),
            (#"{"iss":"https://a","sub":"x","aud":"https://t","exp":"1010"}"#, .malformedToken),
            (#"{"iss":"https://a","sub":"x","aud":"https://t","exp":970}"#, .expiredToken),
            (#"{"iss":"https://a","sub":"x","aud":"https://t","exp":1010,"nbf":1031}"#, .earlyToken),
            (#"{"iss":"https://a","sub":"x","aud":"https://t","exp":1010,"nbf":"soon"}"#, .earlyToken),
            (#"{"iss":"https://a","aud":"https://t","exp":1010}"#, .malformedToken),
            (#"{"iss":"https://a","sub":"","aud":"https://t","exp":1010}"#, .malformedToken),
            (#"{"iss":"https://a","sub":"a\u0000b","aud":"https://t","exp":1010}"#, .malformedToken),
        ] as [(String, AuthFailure.Reason)])
    func refused(claims: String, reason: AuthFailure.Reason) throws {
        #expect(try self.reason(claims) == reason)
    }

    @Test("clocks may differ by half a minute")
    func leeway() throws {
        let claims = #"{"iss":"https://a","sub":"x","aud":"https://t","exp":1010,"nbf":1000}"#
        #expect(try reason(claims, now: 1039) == nil)
        #expect(try reason(claims, now: 1040) == .expiredToken)
        #expect(try reason(claims, now: 970) == nil)
        #expect(try reason(claims, now: 969) == .earlyToken)
    }

    @Test("keys are fetched for an unknown one once in half a minute")
    func refresh() {
        var refresh = KeySetRefresh(interval: .seconds(900))
        let now = MonotonicTime.now
        #expect(refresh.mayBegin(now: now))
        refresh.begin(now: now)
        #expect(!refresh.mayBegin(now: now.advanced(by: .seconds(29))))
        #expect(refresh.mayBegin(now: now.advanced(by: .seconds(30))))
        #expect(refresh.wait(hasKeys: false) == .seconds(5))
        #expect(refresh.wait(hasKeys: true) == .seconds(900))
    }
}

@Suite("Tokens at the gateway", .serialized)
struct TokenTests {
    private func withIssuer(
        _ log: RecordingLog = RecordingLog(), keysPath: String? = nil, place: KeySetSource.Place? = nil,
        minimumInterval: Duration = .milliseconds(1), published: Set<String>? = nil,
        _ body: (TestGateway, Issuer) async throws -> Void
    ) async throws {
        let issuer = try await Issuer()
        try issuer.publish(published)
        let place = place ?? .url(issuer.url)
        try await withGateway(logger: log.logger) {
            let resource = ProtectedResource(publicURL: Issuer.audience, issuers: [Issuer.name])
            $0.auth.keysPath = keysPath
            $0.auth.tokens = AuthSettings.Tokens(
                keys: place, refresh: KeySetRefresh(minimumInterval: minimumInterval, interval: .seconds(900)),
                resource: resource, policy: TokenPolicy(issuers: [Issuer.name], audiences: resource.identifiers))
        } _: { gateway, _ in
            try await body(gateway, issuer)
        }
    }

    private func status(_ gateway: TestGateway, _ token: String) async throws -> Int {
        try await gateway.client.get("/envelopes/x", headers: ["Authorization": "Bearer \(token)"]).status
    }

    @Test("signed with RSA, on a curve of NIST or on Edwards': in; scopes come from the token")
    func algorithms() async throws {
        try await withIssuer { gateway, issuer in
            for kid in ["rsa", "ec", "ed"] {
                let token = try await issuer.token(kid, TestClaims())
                #expect(try await status(gateway, token) == 404, "\(kid)")
                let other = try await issuer.token(kid, TestClaims(scope: "submit"))
                #expect(try await status(gateway, other) == 403, "\(kid)")
                let many = try await issuer.token(kid, TestClaims(scope: nil, scp: ["read"]))
                #expect(try await status(gateway, many) == 404, "\(kid)")
            }
        }
    }

    @Test("forged, stolen, expired and malformed tokens don't count, and each is counted by its reason")
    func refused() async throws {
        let log = RecordingLog()
        try await withIssuer(log) { gateway, issuer in
            let good = try await issuer.token("ec", TestClaims())
            let parts = good.split(separator: ".").map(String.init)
            let foreign = JWTKeyCollection()
            await foreign.add(ecdsa: ES256PrivateKey(), kid: "ec")
            // A key that everybody knows, used as a shared secret.
            await foreign.add(
                hmac: HMACKey(from: String(repeating: "secret", count: 11)), digestAlgorithm: .sha256, kid: "ec-hmac")
            await foreign.add(
                hmac: HMACKey(from: String(repeating: "secret", count: 11)), digestAlgorithm: .sha256, kid: "secret")
            await foreign.addUnsecuredNone(kid: "none")
            var evil = TestClaims()
            evil.scope = "read submit operate internal"
            let evilPayload = Issuer.base64URL(try JSONEncoder().encode(evil))
            let tokens: [(String, AuthFailure.Reason)] = [
                (try await foreign.sign(evil, kid: "ec"), .wrongSignature),
                (try await foreign.sign(evil, kid: "ec-hmac"), .unsupportedAlgorithm),
                (try await foreign.sign(evil, kid: "secret"), .unsupportedAlgorithm),
                (try await foreign.sign(evil, kid: "none"), .unsupportedAlgorithm),
                ("\(parts[0]).\(evilPayload).\(parts[2])", .wrongSignature),
                ("\(parts[0]).\(parts[1]).", .wrongSignature),
                ("\(parts[0]).\(parts[1])", .malformedToken),
                ("\(good).x", .malformedToken),
                ("\(good)=", .malformedToken),
                ("x.y.z", .malformedToken),
                (String(repeating: "a", count: 20_000), .malformedToken),
                (try await issuer.token("ec", TestClaims(iss: "https://other.test")), .wrongIssuer),
                (try await issuer.token("ec", TestClaims(aud: ["https://other.test"])), .wrongAudience),
                (try await issuer.token("ec", TestClaims(aud: nil)), .wrongAudience),
                (try await issuer.token("ec", TestClaims(exp: 1000)), .expiredToken),
                (try await issuer.token("ec", TestClaims(nbf: Date.now.timeIntervalSince1970 + 3600)), .earlyToken),
                (try await issuer.token("ec", TestClaims(), header: ["crit": ["exp"]]), .unsupportedAlgorithm),
            ]
            #expect(try await status(gateway, good) == 404)
            var expected: [AuthFailure.Reason: Int] = [:]
            for (token, reason) in tokens {
                let answer = try await gateway.client.get(
                    "/envelopes/x", headers: ["Authorization": "Bearer \(token)"])
                #expect(answer.status == 401, "\(reason): \(token.prefix(200))")
                #expect(answer.headers["www-authenticate"]?.contains(#"error="invalid_token""#) == true)
                expected[reason, default: 0] += 1
            }
            let reader = try await issuer.token("ed", TestClaims())
            let metrics = try await gateway.client.get("/metrics", headers: ["Authorization": "Bearer \(reader)"]).text
            for (reason, count) in expected {
                let line = "auth_failures_total{reason=\"\(reason.rawValue)\"} \(count)\n"
                #expect(metrics.contains(line), "\(line)")
            }
            for part in parts { #expect(!log.lines.contains { $0.contains(part) }) }
        }
    }

    @Test("an algorithm that the key isn't for doesn't count, whatever the header says")
    func confusion() async throws {
        try await withIssuer { gateway, issuer in
            let good = try await issuer.token("rsa", TestClaims())
            #expect(try await status(gateway, good) == 404)
            for algorithm in ["ES256", "PS256", "RS512", "EdDSA", "HS256", "none", "rs256", ""] {
                let header = Issuer.base64URL(Data(#"{"alg":"\#(algorithm)","kid":"rsa"}"#.utf8))
                let rest = good.drop { $0 != "." }
                #expect(try await status(gateway, header + rest) == 401, "\(algorithm)")
            }
        }
    }

    @Test("new keys are fetched when a token names one; when the issuer is away, the known ones stay")
    func rotation() async throws {
        try await withIssuer(published: ["ec"]) { gateway, issuer in
            let (first, second) = (
                try await issuer.token("ec", TestClaims()), try await issuer.token("ed", TestClaims())
            )
            #expect(try await status(gateway, first) == 404)
            #expect(try await status(gateway, second) == 401)
            try issuer.publish(["ed"])
            #expect(try await status(gateway, second) == 404)
            #expect(try await status(gateway, first) == 401, "its key is gone")
            try issuer.write(nil)
            #expect(try await status(gateway, try await issuer.token("rsa", TestClaims())) == 401)
            #expect(try await status(gateway, second) == 404)
            for nonsense in ["", "{}", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","k":"x"}]}"#, "<html>"] {
                try issuer.write(nonsense)
                #expect(try await status(gateway, try await issuer.token("rsa", TestClaims())) == 401)
                #expect(try await status(gateway, second) == 404)
            }
            try issuer.publish()
            #expect(try await status(gateway, try await issuer.token("rsa", TestClaims())) == 404)
        }
    }

    @Test("made-up keys don't make us call the issuer again and again")
    func flood() async throws {
        try await withIssuer(minimumInterval: .seconds(30)) { gateway, issuer in
            let stranger = JWTKeyCollection()
            await stranger.add(ecdsa: ES256PrivateKey(), kid: "made-up")
            let token = try await stranger.sign(TestClaims(), kid: "made-up")
            for _ in 1...20 { #expect(try await status(gateway, token) == 401) }
            #expect(issuer.requestCount <= 2)
        }
    }

    @Test("an issuer that is away at the start is no reason not to start; until it is back tokens get 503")
    func awayAtStart() async throws {
        try await withIssuer(place: .url("http://127.0.0.1:1/jwks.json")) { gateway, issuer in
            let token = try await issuer.token("ec", TestClaims())
            let answer = try await gateway.client.get("/envelopes/x", headers: ["Authorization": "Bearer \(token)"])
            #expect(answer.status == 503)
            #expect(answer.code == "auth_unavailable")
            #expect(answer.headers["retry-after"] != nil)
        }
    }

    @Test("a file of keys that can't be used is a reason not to start")
    func wrongFile() async throws {
        let error = await #expect(throws: GatewayStartError.self) {
            try await withIssuer(place: .file("/nowhere/jwks.json")) { _, _ in }
        }
        #expect(error?.exitCode == 78)
        #expect(error?.message == "TROUPE_JWKS: /nowhere/jwks.json: cannot be read")
    }

    @Test("OAuth clients are told where to get a token, and for what")
    func metadata() async throws {
        let keys = try Keys()
        try await withIssuer(keysPath: keys.path) { gateway, issuer in
            for suffix in ["", "/mcp"] {
                let document = try await gateway.client.get("/.well-known/oauth-protected-resource" + suffix)
                #expect(document.status == 200)
                #expect(document["resource"]?.string == Issuer.audience + suffix)
                #expect(document["authorization_servers"]?.elements.map(\.string) == [Issuer.name])
                #expect(document["scopes_supported"]?.elements.map(\.string) == ["submit", "read", "operate"])
                #expect(document["bearer_methods_supported"]?.elements.map(\.string) == ["header"])
            }
            let well = "https://troupe.test/.well-known/oauth-protected-resource"
            let mcp = try await gateway.client.post("/mcp", "{}", headers: ["Content-Type": "application/json"])
            #expect(mcp.headers["www-authenticate"] == #"Bearer resource_metadata="\#(well)/mcp""#)
            let stranger = try await gateway.client.get("/envelopes/x")
            #expect(
                stranger.headers["www-authenticate"] == #"Bearer scope="read", resource_metadata="\#(well)""#)
            let token = try await issuer.token("ec", TestClaims(scope: "submit"))
            let narrow = try await gateway.client.get("/envelopes/x", headers: ["Authorization": "Bearer \(token)"])
            #expect(
                narrow.headers["www-authenticate"]
                    == #"Bearer error="insufficient_scope", scope="read", resource_metadata="\#(well)""#)
            // Keys go on beside tokens.
            #expect(try await gateway.client.get("/envelopes/x", headers: keys.headers(.read)).status == 404)
        }
        try? FileManager.default.removeItem(atPath: keys.path)
    }
}
