internal import Envelopes
internal import ActorKit
internal import Crypto

/// The name under which a closed envelope is kept: `{prefix}{timestamp}/{last actor of the route}/{id}.json`.
struct ResultKey: Sendable, Hashable {
    let text: String

    /// - Parameter timestamp: ISO 8601, UTC, microseconds.
    init(prefix: String, timestamp: String, actor: String?, id: String?, digest: SHA256Digest) {
        let actor = Self.safe(actor ?? "") ?? "unknown"
        let id = Self.safe(id ?? "") ?? "no-id-\(digest.hexadecimal.prefix(32))"
        text = "\(prefix)\(timestamp)/\(actor)/\(id).json"
    }

    /// One part of a path, whatever an envelope says: other letters than A-Z, a-z, 0-9, '.', '_' and '-' are
    /// percent-encoded, and so are dots in front, which would name a parent folder or hide the file. `nil` for
    /// nothing.
    static func safe(_ text: String) -> String? {
        guard !text.isEmpty else { return nil }
        var part = ""
        for byte in text.utf8 {
            let isPlain = byte.isPlain && !(byte == UInt8(ascii: ".") && part.isEmpty)
            part += isPlain ? String(UnicodeScalar(byte)) : "%" + byte.hexadecimal.uppercased()
        }
        guard part.utf8.count > longest else { return part }
        // Longer than file systems take, with ".json" behind it: the beginning, and a digest that tells it from others.
        let digest = SHA256.hash(data: Array(text.utf8)).hexadecimal.prefix(32)
        return "\(part.prefix(longest - 33))-\(digest)"
    }

    private static let longest = 200
}

extension UInt8 {
    fileprivate var isPlain: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
