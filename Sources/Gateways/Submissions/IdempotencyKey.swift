internal import Crypto
internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

/// A caller's name for a request, so that asking again does nothing again (draft-ietf-httpapi-idempotency-key-header).
/// It is good for one principal: two may choose the same.
struct IdempotencyKey: Sendable, Hashable {
    var text: String
    /// SHA-256 of what was asked, in hexadecimal.
    var digest: String

    init(text: String, digest: String) {
        self.text = text
        self.digest = digest
    }

    /// `nil` where the request has none.
    init?(_ request: Request, body: [UInt8]) throws(Problem) {
        guard let text = request.headers[.idempotencyKey] else { return nil }
        guard (1...200).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Problem(.invalidRequest, "'Idempotency-Key' must have 1 to 200 visible characters of ASCII")
        }
        self.text = text
        digest = Self.digest(of: body[...], at: request.uri.path)
    }

    /// The key of one line of a bulk request.
    func line(_ number: Int, _ body: ArraySlice<UInt8>) -> IdempotencyKey {
        var key = self
        key.text += "/\(number)"
        key.digest = Self.digest(of: body, at: "line")
        return key
    }

    private static func digest(of body: ArraySlice<UInt8>, at path: String) -> String {
        var hash = SHA256()
        hash.update(data: Array((path + "\n").utf8))
        body.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().hexadecimal
    }
}

extension HTTPField.Name {
    // The names are valid, so the initializer doesn't fail; the fallback is never taken.
    static let idempotencyKey = HTTPField.Name("Idempotency-Key") ?? .ifMatch
    static let idempotentReplayed = HTTPField.Name("Idempotent-Replayed") ?? .age
}
