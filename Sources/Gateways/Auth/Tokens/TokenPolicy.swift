internal import Envelopes

/// Which tokens count. Pure: claims and the time in, a principal out.
struct TokenPolicy: Sendable, Hashable {
    /// Whose tokens count.
    var issuers: [String]
    /// As whom tokens may call us; one of them must be in `aud` (RFC 8707).
    var audiences: [String]

    /// Clocks differ. Seconds.
    private static let leeway = 30.0

    /// - Parameters:
    ///   - claims: of a token whose signature is right.
    ///   - now: seconds since 1970.
    func principal(_ claims: RawJSON, now: Double) throws(AuthFailure) -> Principal {
        guard let issuer = claims["iss"]?.string, issuers.contains(issuer) else {
            throw AuthFailure(.wrongIssuer, "the token's issuer ('iss') is not one of this gateway's")
        }
        guard !Set(Self.texts(claims["aud"])).isDisjoint(with: audiences) else {
            throw AuthFailure(.wrongAudience, "the token is not for this gateway: 'aud' must be \(audiences[0])")
        }
        guard let expires = claims["exp"]?.double else {
            throw AuthFailure(.malformedToken, "the token has no time of expiry ('exp')")
        }
        guard now < expires + Self.leeway else { throw AuthFailure(.expiredToken, "the token has expired") }
        if let begin = claims["nbf"] {
            guard let begin = begin.double, begin <= now + Self.leeway else {
                throw AuthFailure(.earlyToken, "the token is not valid yet ('nbf')")
            }
        }
        let names = [claims["sub"], claims["client_id"], claims["azp"]]
        guard let name = names.lazy.compactMap({ $0?.string }).first(where: Self.isName) else {
            throw AuthFailure(.malformedToken, "the token does not say whose it is ('sub')")
        }
        let scopes = (Self.texts(claims["scope"]) + Self.texts(claims["scp"])).flatMap { $0.split(separator: " ") }
        return Principal(id: "jwt:\(issuer)#\(name)", scopes: Set(scopes.compactMap { Scope(rawValue: String($0)) }))
    }

    /// Short, and nothing in it that a database or a log would stumble over.
    private static func isName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// One or many: both are usual.
    private static func texts(_ json: RawJSON?) -> [String] {
        guard let json else { return [] }
        return json.string.map { [$0] } ?? json.elements.compactMap(\.string)
    }
}
