internal import Envelopes
internal import FoundationEssentials

/// A JSON Web Token (RFC 7519) in its parts. That it can be taken apart says nothing of its truth.
struct Token: Sendable {
    let header: TokenHeader
    let claims: RawJSON
    /// What the signature is about.
    let signed: [UInt8]
    let signature: [UInt8]

    private static let sizeLimit = 16 << 10

    init(_ text: String) throws(AuthFailure) {
        let parts = Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.sizeLimit, parts.count == 3, let head = Self.decoded(parts[0]),
            let body = Self.decoded(parts[1]), let signature = Self.decoded(parts[2]),
            let header = try? RawJSON(head), let claims = try? RawJSON(body), claims.kind == .object
        else {
            throw AuthFailure(.malformedToken, "the bearer token is neither an API key nor a JSON Web Token")
        }
        self.header = try TokenHeader(header)
        self.claims = claims
        self.signature = signature
        signed = Array(parts[0]) + [UInt8(ascii: ".")] + Array(parts[1])
    }

    private static func decoded(_ part: ArraySlice<UInt8>) -> [UInt8]? {
        // Plain base64 is none: the same token must not have two forms.
        guard !part.contains(where: { "+/=".utf8.contains($0) }) else { return nil }
        var text = String(decoding: part, as: UTF8.self).replacing("-", with: "+").replacing("_", with: "/")
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text).map(Array.init)
    }
}

struct TokenHeader: Sendable, Hashable {
    var algorithm: SignatureAlgorithm
    var keyID: String?

    fileprivate init(_ json: RawJSON) throws(AuthFailure) {
        guard let name = json["alg"]?.string, let algorithm = SignatureAlgorithm(rawValue: name) else {
            let known = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw AuthFailure(.unsupportedAlgorithm, "the token's 'alg' is none of: \(known)")
        }
        // RFC 7515: who doesn't know what is critical must refuse it.
        guard json["crit"] == nil else {
            throw AuthFailure(.unsupportedAlgorithm, "the token's header has critical members that are not known here")
        }
        self.algorithm = algorithm
        keyID = json["kid"]?.string
    }
}
