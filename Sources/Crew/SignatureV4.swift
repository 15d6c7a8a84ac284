internal import Envelopes
internal import Crypto
internal import FoundationEssentials
internal import HTTPClient

/// AWS Signature Version 4 in a request's `Authorization` header.
struct SignatureV4: Sendable, Hashable {
    var accessKey: String
    var secretKey: String
    var region: String
    var service: String

    struct Request {
        var method: String
        /// Percent-encoded, as it goes on the wire.
        var path: String
        /// Neither encoded nor sorted.
        var query: [(name: String, value: String)] = []
        /// All that are to be signed, `host` and `x-amz-date` among them.
        var headers: [(name: String, value: String)]
        /// SHA-256 of the body in hexadecimal digits.
        var bodyDigest: String
    }

    /// - Parameter date: `20130524T000000Z`, the same as in `x-amz-date`.
    func authorization(for request: Request, date: String) -> String {
        let headers = request.headers.map { ($0.name.lowercased(), Self.trimmed($0.value)) }.sorted { $0.0 < $1.0 }
        let signedHeaders = headers.map(\.0).joined(separator: ";")
        let canonical = [
            request.method, request.path, Self.canonicalQuery(request.query),
            headers.map { "\($0.0):\($0.1)\n" }.joined(), signedHeaders, request.bodyDigest,
        ].joined(separator: "\n")

        let day = String(date.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let digest = SHA256.hash(data: Array(canonical.utf8)).hexadecimal
        let stringToSign = "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(digest)"
        let signature = Self.mac(stringToSign, key: signingKey(day)).hexadecimal
        return
            "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), SignedHeaders=\(signedHeaders), Signature=\(signature)"
    }

    private func signingKey(_ day: String) -> [UInt8] {
        [day, region, service, "aws4_request"].reduce(Array("AWS4\(secretKey)".utf8)) { Self.mac($1, key: $0) }
    }

    private static func mac(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }

    private static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        query.map { (encoded($0.name), encoded($0.value)) }.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(
            separator: "&")
    }

    /// Runs of blanks count as one.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }

    /// As AWS wants it: everything but A-Z, a-z, 0-9, '-', '.', '_' and '~' (and what else is asked for) in percent
    /// signs.
    static func encoded(_ text: String, except plain: Set<Character> = []) -> String {
        text.percentEncoded(except: plain)
    }
}
