internal import Crypto
internal import Envelopes

/// A secret that stands for its holder: 256 random bits. Files keep its SHA-256 only.
public struct APIKey: Sendable {
    /// What its holder sends; to be shown once and never logged.
    public let text: String

    static let prefix = "troupe_"

    /// A new one.
    public static func random() -> APIKey {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return APIKey(text: prefix + Base64URL.encode(bytes))
    }

    static func digest(_ text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    /// What keys may allow.
    public static var scopes: [String] { Scope.allCases.map(\.rawValue) }

    /// Its entry in a file of keys, as YAML.
    /// - Throws: what is wrong with the name or the scopes.
    public func entry(name: String, scopes: [String]) throws(FileErrors) -> String {
        let entry =
            "- name: \(name)\n  hash: sha256:\(Self.digest(text).hexadecimal)\n  scopes: [\(scopes.joined(separator: ", "))]"
        _ = try APIKeyFileReader.parse(entry)
        return entry
    }
}
