internal import Envelopes
internal import HTTPTypes

/// Says who asks, by the request's credentials.
struct Authenticator: Sendable {
    /// `nil`: there are no API keys here.
    let keys: LiveFile<APIKeyTable>?
    /// `nil`: tokens don't count here.
    let tokens: TokenVerifier?

    func principal(of headers: HTTPFields) async throws(AuthFailure) -> Principal {
        let credential = try Self.credential(headers)
        if let keys, tokens == nil || credential.hasPrefix(APIKey.prefix) {
            return try keys.current.principal(of: credential, now: Timestamp.microsecondsNow())
        }
        guard let tokens else { throw AuthFailure(.unknownKey, "there are no API keys here") }
        return try await tokens.principal(of: credential)
    }

    /// From `Authorization: Bearer` or `X-API-Key`; never from the URL, which ends up in logs and histories.
    private static func credential(_ headers: HTTPFields) throws(AuthFailure) -> String {
        let (authorizations, keys) = (headers[values: .authorization], headers[values: .apiKey])
        guard authorizations.count + keys.count <= 1 else {
            throw AuthFailure(.malformed, "more than one credential: send 'Authorization' or 'X-API-Key', once")
        }
        if let key = keys.first, !key.isEmpty { return key }
        guard let authorization = authorizations.first else {
            throw AuthFailure(
                .missing, "credentials are missing: send 'Authorization: Bearer ...', or an API key as 'X-API-Key'")
        }
        let parts = authorization.split(separator: " ")
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw AuthFailure(.malformed, "'Authorization' must be 'Bearer' and one token")
        }
        return String(parts[1])
    }
}

extension HTTPField.Name {
    // The name is valid, so the initializer doesn't fail; the fallback is never taken.
    static let apiKey = HTTPField.Name("X-API-Key") ?? .authorization
}
