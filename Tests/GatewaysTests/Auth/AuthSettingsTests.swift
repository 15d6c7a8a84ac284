import Settings
import Testing

@testable import Gateways

@Suite("Settings of who may do what")
struct AuthSettingsTests {
    private func read(_ environment: [String: String]) -> (configuration: Configuration, problems: [String]) {
        var settings = Settings(
            environment: environment.merging(["TROUPE_DATABASE_URL": "postgresql://localhost/x"]) { first, _ in first })
        let configuration = Configuration(&settings)
        return (configuration, settings.problems.map(\.description))
    }

    @Test("nothing is asked on loopback; elsewhere something must be, or it must be said that nothing is")
    func hosts() {
        for host in ["127.0.0.1", "127.9.9.9", "localhost", "::1"] {
            let (configuration, problems) = read(["TROUPE_GATEWAY_HOST": host])
            #expect(problems.isEmpty && !configuration.auth.isOn, "\(host): \(problems)")
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "gateway.example.com", "127.0.0.1.example.com"] {
            let problems = read(["TROUPE_GATEWAY_HOST": host]).problems
            #expect(problems.count == 1)
            for name in ["TROUPE_GATEWAY_HOST", "TROUPE_API_KEYS_FILE", "TROUPE_JWKS", "TROUPE_GATEWAY_INSECURE=true"] {
                #expect(problems.first?.contains(name) == true, "\(name)")
            }
            #expect(read(["TROUPE_GATEWAY_HOST": host, "TROUPE_GATEWAY_INSECURE": "true"]).problems.isEmpty)
            #expect(read(["TROUPE_GATEWAY_HOST": host, "TROUPE_API_KEYS_FILE": "/k"]).problems.isEmpty)
        }
    }

    @Test("tokens: issuers and the public URL are required, audiences follow from it")
    func tokens() {
        let all = [
            "TROUPE_JWKS": "https://issuer.test/jwks.json", "TROUPE_JWT_ISSUERS": "https://issuer.test, https://b.test",
            "TROUPE_GATEWAY_PUBLIC_URL": "https://troupe.test/",
        ]
        let (configuration, problems) = read(all)
        #expect(problems.isEmpty)
        let tokens = configuration.auth.tokens
        #expect(tokens?.keys == .url("https://issuer.test/jwks.json"))
        #expect(tokens?.policy.issuers == ["https://issuer.test", "https://b.test"])
        #expect(tokens?.policy.audiences == ["https://troupe.test", "https://troupe.test/mcp"])
        #expect(
            tokens?.resource.metadataURL(for: "/mcp")
                == "https://troupe.test/.well-known/oauth-protected-resource/mcp")
        let other = read(all.merging(["TROUPE_JWT_AUDIENCES": "a,b", "TROUPE_JWKS": "/etc/jwks.json"]) { $1 })
        #expect(other.configuration.auth.tokens?.policy.audiences == ["a", "b"])
        #expect(other.configuration.auth.tokens?.keys == .file("/etc/jwks.json"))
        for name in ["TROUPE_JWT_ISSUERS", "TROUPE_GATEWAY_PUBLIC_URL"] {
            var some = all
            some[name] = nil
            #expect(read(some).problems.map { $0.prefix { $0 != ":" } } == [name[...]])
        }
    }

    @Test(
        "wrong values are refused by name",
        arguments: [
            ("TROUPE_JWKS", "http://issuer.test/jwks.json"), ("TROUPE_GATEWAY_PUBLIC_URL", "http://troupe.test"),
            ("TROUPE_GATEWAY_PUBLIC_URL", "troupe.test"), ("TROUPE_JWKS_REFRESH", "0"), ("TROUPE_GATEWAY_RATE", "0"),
            ("TROUPE_GATEWAY_RATE", "many"), ("TROUPE_GATEWAY_RATE", "nan"), ("TROUPE_GATEWAY_RATE", "inf"),
            ("TROUPE_GATEWAY_MAX_STREAMS", "0"), ("TROUPE_GATEWAY_STREAMS_PER_CALLER", "-1"),
            ("TROUPE_GATEWAY_ORIGINS", "example.com"), ("TROUPE_GATEWAY_INSECURE", "maybe"),
            ("TROUPE_GATEWAY_INTERNAL_PORT", "http"), ("TROUPE_GATEWAY_MAX_CONNECTIONS", "0"),
            ("TROUPE_GATEWAY_MAX_HEAD", "10"), ("TROUPE_GATEWAY_MIN_BODY_RATE", "-1"),
        ])
    func wrong(name: String, value: String) {
        let all = [
            "TROUPE_JWKS": "https://issuer.test/jwks.json", "TROUPE_JWT_ISSUERS": "https://issuer.test",
            "TROUPE_GATEWAY_PUBLIC_URL": "https://troupe.test",
        ]
        let problems = read(all.merging([name: value]) { $1 }).problems
        #expect(problems.count == 1 && problems[0].hasPrefix("\(name): "), "\(problems)")
    }

    @Test("one file of two makes no TLS")
    func tls() {
        #expect(
            read(["TROUPE_GATEWAY_TLS_CERT": "/c"]).problems.map { $0.prefix { $0 != ":" } } == [
                "TROUPE_GATEWAY_TLS_KEY"
            ])
        #expect(
            read(["TROUPE_GATEWAY_TLS_KEY": "/k"]).problems.map { $0.prefix { $0 != ":" } } == [
                "TROUPE_GATEWAY_TLS_CERT"
            ])
    }
}
