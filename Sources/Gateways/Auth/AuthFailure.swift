internal import HTTPTypes

/// Why a request's credentials don't count.
struct AuthFailure: Error, Sendable, Hashable {
    /// As metrics and logs name it.
    enum Reason: String, Sendable, CaseIterable {
        case missing, malformed
        case unknownKey = "unknown_key"
        case expiredKey = "expired_key"
        case malformedToken = "malformed_token"
        case unsupportedAlgorithm = "unsupported_algorithm"
        case unknownSigner = "unknown_signer"
        case wrongSignature = "wrong_signature"
        case wrongIssuer = "wrong_issuer"
        case wrongAudience = "wrong_audience"
        case expiredToken = "expired_token"
        case earlyToken = "early_token"
        case noSigningKeys = "no_signing_keys"
        case insufficientScope = "insufficient_scope"
    }

    var reason: Reason
    /// Quotes nothing of the credentials.
    var message: String

    init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    /// - Parameter access: what was asked for.
    func problem(_ access: Access) -> Problem {
        if reason == .noSigningKeys { return Problem(.authUnavailable, message, retryAfter: 5) }
        var problem = Problem(.unauthenticated, message)
        var parts: [String] = []
        // RFC 6750: a request without credentials is told no error.
        if reason != .missing { parts.append(#"error="invalid_token""#) }
        if case .scope(let scope) = access { parts.append(#"scope="\#(scope.rawValue)""#) }
        problem.headers[.wwwAuthenticate] = parts.isEmpty ? "Bearer" : "Bearer " + parts.joined(separator: ", ")
        return problem
    }
}
