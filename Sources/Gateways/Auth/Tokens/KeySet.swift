internal import Envelopes
internal import FoundationEssentials
internal import JWTKit

/// The public keys of who issues tokens (a JSON Web Key Set, RFC 7517).
struct KeySet: Sendable {
    struct Key: Sendable {
        var id: String?
        fileprivate var verifiers: [SignatureAlgorithm: any JWTAlgorithm] = [:]
    }

    struct Mistake: Error, Sendable, CustomStringConvertible {
        var description: String
    }

    let keys: [Key]

    /// More would be a mistake, or an attack.
    private static let limit = 200

    /// Keys that are for something else, or of a kind that isn't known here, are left out.
    /// - Throws: when it is no key set, or none of its keys can check a token.
    init(_ bytes: [UInt8]) async throws(Mistake) {
        guard let json = try? RawJSON(bytes), let list = json["keys"], list.kind == .array else {
            throw Mistake(description: "is no JSON Web Key Set: expected {\"keys\": [...]}")
        }
        var keys: [Key] = []
        for json in list.elements.prefix(Self.limit) {
            if let key = await Key(json) { keys.append(key) }
        }
        guard !keys.isEmpty else {
            let known = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw Mistake(description: "holds no key for \(known)")
        }
        self.keys = keys
    }

    /// Those that may have signed a token with this header.
    func candidates(_ header: TokenHeader) -> [Key] {
        keys.filter { key in
            key.verifiers[header.algorithm] != nil && (header.keyID == nil || key.id == header.keyID)
        }
    }
}

extension KeySet.Key {
    fileprivate init?(_ json: RawJSON) async {
        if let use = json["use"]?.string, use != "sig" { return nil }
        let (type, curve) = (json["kty"]?.string, json["crv"]?.string)
        var algorithms = SignatureAlgorithm.allCases.filter { algorithm in
            algorithm.keyType.type == type && algorithm.keyType.curve == (type == "RSA" ? nil : curve)
        }
        if let algorithm = json["alg"]?.string { algorithms = algorithms.filter { $0.rawValue == algorithm } }
        // 2048 bits in base64: shorter ones are broken.
        if type == "RSA", json["n"]?.string?.utf8.count ?? 0 < 342 { return nil }
        id = json["kid"]?.string
        guard !algorithms.isEmpty, var jwk = try? JWK(json: json.description) else { return nil }
        // Private parts have no business here.
        jwk.privateExponent = nil
        jwk.keyIdentifier = "key"
        for algorithm in algorithms {
            // The library must not choose by what a token says: each algorithm gets a verifier that knows no other.
            jwk.algorithm = JWK.Algorithm(rawValue: algorithm.rawValue)
            let collection = JWTKeyCollection()
            guard (try? await collection.add(jwk: jwk)) != nil, let verifier = try? await collection.getKey(for: "key")
            else { return nil }
            verifiers[algorithm] = verifier
        }
    }

    func verifies(_ token: Token) -> Bool {
        guard let verifier = verifiers[token.header.algorithm] else { return false }
        return (try? verifier.verify(token.signature, signs: token.signed)) ?? false
    }
}
