import Testing

@testable import Gateways

@Suite("Origins and hosts")
struct OriginCheckTests {
    typealias Case = (origin: String?, host: String?)

    @Test("on loopback: pages of others are kept away, and names that lead here by a trick")
    func loopback() {
        let check = OriginCheck(origins: ["https://app.example.com"], hosts: ["troupe.test"], isLoopback: true)
        let allowed: [Case] = [
            (nil, "localhost:8080"), (nil, "127.0.0.1"), (nil, "[::1]:8080"), ("http://localhost:5173", "localhost"),
            ("https://app.example.com", "127.0.0.1:8080"), (nil, "app.example.com"), (nil, nil),
            (nil, "TROUPE.test:80"), ("https://troupe.test:8443", "troupe.test:8443"), (nil, "LOCALHOST"),
        ]
        for (origin, host) in allowed {
            #expect(check.problem(origin: origin, host: host) == nil, "\(origin ?? "-") \(host ?? "-")")
        }
        let refused: [Case] = [
            ("https://evil.example.com", "localhost"), ("null", "localhost"), (nil, "evil.example.com"),
            ("http://localhost.evil.com", "localhost"), ("http://app.example.com", "localhost"),
            (nil, "127.0.0.1.evil.com"), ("http://evil.com/localhost", "localhost"), ("", "localhost"), (nil, ""),
            ("http://localhost:80@evil.com", "evil.com"),
        ]
        for (origin, host) in refused {
            #expect(
                check.problem(origin: origin, host: host)?.code == .forbiddenOrigin, "\(origin ?? "-") \(host ?? "-")")
        }
    }

    @Test("elsewhere: any name, unless they are listed; pages of the listed names are its own")
    func elsewhere() {
        let open = OriginCheck(isLoopback: false)
        #expect(open.problem(origin: nil, host: "troupe.example.com") == nil)
        #expect(open.problem(origin: "https://troupe.example.com", host: "troupe.example.com") != nil)
        let named = OriginCheck(hosts: ["troupe.example.com"], isLoopback: false)
        #expect(named.problem(origin: nil, host: "troupe.example.com:443") == nil)
        #expect(named.problem(origin: nil, host: "10.0.0.7") != nil)
        #expect(named.problem(origin: nil, host: "localhost") != nil)
        #expect(named.problem(origin: "https://troupe.example.com", host: "troupe.example.com") == nil)
        #expect(
            OriginCheck(origins: ["*"], isLoopback: true).problem(origin: "https://x.org", host: "x") == nil)
    }
}
