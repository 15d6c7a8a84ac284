internal import Envelopes

/// A JSON Web Token (RFC 7519) in its parts. That it can be taken apart says nothing of its truth.
struct Token: Sendable {
    let header: TokenHeader
    let claims: RawJSON
    /// What the signature is about.
    let signed: [UInt8]
    let signature: [UInt8]

    private static let sizeLimit = 16 << 10

    init(_ text: String) throws(AuthFailure) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.sizeLimit, parts.count == 3, let head = Base64URL.decode(parts[0]),
            let body = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]),
            let header = try? RawJSON(head), let claims = try? RawJSON(body), claims.kind == .object
        else {
            throw AuthFailure(.malformedToken, "the bearer token is neither an API key nor a JSON Web Token")
        }
        self.header = try TokenHeader(header)
        self.claims = claims
        self.signature = signature
        signed = Array((parts[0] + "." + parts[1]).utf8)
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
