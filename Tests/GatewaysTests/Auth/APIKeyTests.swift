import Envelopes
import Testing

@testable import Gateways

@Suite("API keys")
struct APIKeyTests {
    private let key = APIKey.random()

    @Test("keys are long, unlike each other, and their entry can be read")
    func random() throws {
        let keys = Set((0..<100).map { _ in APIKey.random().text })
        #expect(keys.count == 100)
        for text in keys { #expect(text.wholeMatch(of: /troupe_[A-Za-z0-9_-]{43}/) != nil, "\(text)") }
        let entry = try key.entry(name: "ci", scopes: ["submit", "read"])
        #expect(!entry.contains(key.text.dropFirst(7)))
        let principal = try APIKeyFileReader.parse(entry).principal(of: key.text, now: 0)
        #expect(principal == Principal(id: "key:ci", scopes: [.submit, .read]))
    }

    @Test("what is known of SHA-256 is what we take")
    func digest() throws {
        // sha256("abc"), FIPS 180-2.
        let table = try APIKeyFileReader.parse(
            "- {name: a, hash: sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, scopes: [read]}"
        )
        #expect(try table.principal(of: "abc", now: 0).id == "key:a")
        for other in ["", "ab", "abcd", "ABC"] {
            let failure = #expect(throws: AuthFailure.self) { try table.principal(of: other, now: 0) }
            #expect(failure?.reason == .unknownKey)
        }
    }

    @Test("limits and expiry of an entry")
    func entry() throws {
        let text =
            try key.entry(name: "a", scopes: ["operate"])
            + "\n  rate: 2.5\n  streams: 3\n  expires: 2027-01-31T00:00:00Z\n"
        let table = try APIKeyFileReader.parse(text)
        let end = try #require(Timestamp.microseconds(parsing: "2027-01-31T00:00:00Z"))
        let principal = try table.principal(of: key.text, now: end - 1)
        #expect(principal.rate == 2.5 && principal.streams == 3)
        let failure = #expect(throws: AuthFailure.self) { try table.principal(of: key.text, now: end) }
        #expect(failure?.reason == .expiredKey)
        #expect(try APIKeyFileReader.parse("") == APIKeyTable([]))
    }

    @Test("every mistake is named with its line, and no key is repeated")
    func mistakes() throws {
        let hash = "sha256:" + String(repeating: "0a", count: 32)
        let text = """
            - {name: "a b", hash: "\(hash)", scopes: [read]}
            - {name: b, hash: troupe_secret, scopes: [read]}
            - {name: c, hash: "\(hash)", scopes: [admin]}
            - {name: d, hash: "\(hash)", scopes: []}
            - {name: c, hash: "sha256:\(String(repeating: "0b", count: 32))", scope: [read]}
            - {name: e, hash: "sha256:\(String(repeating: "0c", count: 32))", scopes: [read], rate: 0, streams: many}
            - {name: f, hash: "sha256:\(String(repeating: "0d", count: 32))", scopes: [read], expires: tomorrow}
            - {hash: x}
            - word
            """
        let error = #expect(throws: FileErrors.self) { try APIKeyFileReader.parse(text, file: "k") }
        let lines = error?.problems.map { "\($0.file):\($0.line ?? 0): \($0.message)" } ?? []
        for part in [
            "k:1: a key's 'name' must", "k:2: 'hash' of key 'b'", "k:3: key 'c' has a scope",
            "k:4: 'scopes' of key 'd' must be a list of: submit, read, operate, internal",
            "k:4: keys 'c' and 'd' are the same one", "k:5: key 'c' is there already",
            "k:5: key 'c' has an unknown member", "k:6: 'rate' of key 'e'", "k:6: 'streams' of key 'e'",
            "k:7: 'expires' of key 'f'", "k:8: a key's 'name'", "k:9: a key must be a mapping",
        ] {
            #expect(lines.contains { $0.hasPrefix(part) }, "\(part)\n\(lines)")
        }
        #expect(error?.description.contains("secret") == false)
        for text in ["a: b", "- [", "x"] {
            #expect(throws: FileErrors.self) { try APIKeyFileReader.parse(text) }
        }
    }

    @Test("an entry with a wrong name or scope is not made")
    func wrongEntry() {
        for (name, scopes) in [("", ["read"]), ("a\n- b", ["read"]), ("a", []), ("a", ["all"]), ("a", ["read]\n- x"])] {
            #expect(throws: FileErrors.self) { try key.entry(name: name, scopes: scopes) }
        }
    }
}
