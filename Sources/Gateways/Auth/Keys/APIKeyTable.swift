internal import Envelopes

/// The API keys of this gateway, by their digest.
struct APIKeyTable: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        var name: String
        /// SHA-256 of the key.
        var digest: [UInt8]
        var scopes: Set<Scope>
        /// Requests per second.
        var rate: Double?
        /// Streams at a time.
        var streams: Int?
        /// Microseconds since 1970.
        var expires: Int64?
    }

    private let entries: [[UInt8]: Entry]

    init(_ entries: [Entry]) { self.entries = Dictionary(entries.map { ($0.digest, $0) }) { first, _ in first } }

    /// What a guess could learn from the time that this takes is about its digest, which it can't choose.
    /// - Parameter now: microseconds since 1970.
    func principal(of key: String, now: Int64) throws(AuthFailure) -> Principal {
        guard let entry = entries[APIKey.digest(key)] else {
            throw AuthFailure(.unknownKey, "this API key is not known here")
        }
        if let expires = entry.expires, expires <= now {
            throw AuthFailure(
                .expiredKey,
                "the API key '\(entry.name)' has expired on \(Timestamp.text(microseconds: expires))")
        }
        return Principal(id: "key:\(entry.name)", scopes: entry.scopes, rate: entry.rate, streams: entry.streams)
    }
}
