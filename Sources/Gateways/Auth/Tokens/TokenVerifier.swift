internal import Envelopes

/// Says whose a token is.
struct TokenVerifier: Sendable {
    let source: KeySetSource
    let policy: TokenPolicy

    func principal(of text: String) async throws(AuthFailure) -> Principal {
        let token = try Token(text)
        var keys = await source.current
        if keys?.candidates(token.header).isEmpty ?? true { keys = await source.afterUnknownKey() }
        guard let keys else {
            throw AuthFailure(
                .noSigningKeys, "the keys that tokens are checked with can't be had just now; try again soon")
        }
        let candidates = keys.candidates(token.header)
        guard !candidates.isEmpty else {
            throw AuthFailure(.unknownSigner, "the token is signed with a key that its issuer doesn't publish")
        }
        guard candidates.contains(where: { $0.verifies(token) }) else {
            throw AuthFailure(.wrongSignature, "the token's signature is wrong")
        }
        return try policy.principal(token.claims, now: Double(Timestamp.microsecondsNow()) / 1e6)
    }
}
