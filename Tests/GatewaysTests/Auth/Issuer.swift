import Crypto
import CryptoExtras
import Foundation
import JWTKit
import TestSupport

/// Who issues tokens: keys of three kinds, and a real HTTP server that publishes them.
final class Issuer: Sendable {
    static let name = "https://issuer.test"
    static let audience = "https://troupe.test"

    let keys = JWTKeyCollection()
    private let folder = TemporaryFolder()
    private let server: ScriptServer
    private let published: [String]

    /// Publishes `ec` (ES256), `ed` (EdDSA) and `rsa` (RS256), and keys that are for nothing here.
    init() async throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let script = URL(fileURLWithPath: folder.path).appending(path: "server.py")
        try Data(Self.script.utf8).write(to: script)
        server = try ScriptServer(script, folder.path)

        let (ec, ed) = (ES256PrivateKey(), try EdDSA.PrivateKey(curve: .ed25519))
        let rsa = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let primitives = try rsa.publicKey.getKeyPrimitives()
        await keys.add(ecdsa: ec, kid: "ec")
        await keys.add(eddsa: ed, kid: "ed")
        await keys.add(
            rsa: try Insecure.RSA.PrivateKey(pem: rsa.pemRepresentation), digestAlgorithm: .sha256, kid: "rsa")
        let point = ec.publicKey.parameters
        published = [
            #"{"kty":"oct","kid":"secret","k":"c2VjcmV0"}"#,
            #"{"kty":"RSA","kid":"weak","n":"AQAB","e":"AQAB"}"#,
            #"{"kty":"EC","crv":"secp256k1","kid":"odd","x":"AA","y":"AA"}"#,
            #"{"kty":"EC","crv":"P-256","kid":"ec","use":"sig","x":"\#(Self.urlSafe(point?.x))","y":"\#(Self.urlSafe(point?.y))"}"#,
            #"{"kty":"OKP","crv":"Ed25519","kid":"ed","alg":"EdDSA","x":"\#(Self.base64URL(ed.publicKey.rawRepresentation))"}"#,
            #"{"kty":"RSA","kid":"rsa","n":"\#(Self.base64URL(primitives.modulus))","e":"\#(Self.base64URL(primitives.publicExponent))"}"#,
        ]
        try publish()
    }

    var url: String { "http://127.0.0.1:\(server.words[0])/jwks.json" }

    /// How often the keys were asked for.
    var requestCount: Int {
        ((try? String(contentsOfFile: folder.path + "/requests", encoding: .utf8)) ?? "").count
    }

    /// - Parameter kids: of the keys to publish; all by default.
    func publish(_ kids: Set<String>? = nil) throws {
        let chosen = published.filter { key in kids?.contains { key.contains(#""kid":"\#($0)""#) } ?? true }
        try write(#"{"keys":[\#(chosen.joined(separator: ","))]}"#)
    }

    /// Publishes anything; `nil`: answers 503.
    func write(_ text: String?) throws {
        let file = URL(fileURLWithPath: folder.path).appending(path: "jwks.json")
        if let text {
            try Data(text.utf8).write(to: file, options: .atomic)
        } else {
            try FileManager.default.removeItem(at: file)
        }
    }

    func token(_ kid: String, _ claims: TestClaims, header: JWTHeader = JWTHeader()) async throws -> String {
        try await keys.sign(claims, kid: JWKIdentifier(string: kid), header: header)
    }

    static func base64URL(_ data: some DataProtocol) -> String { urlSafe(Data(data).base64EncodedString()) }

    private static func urlSafe(_ text: String?) -> String {
        (text ?? "").replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static let script = """
        import http.server, pathlib, sys, threading

        folder = pathlib.Path(sys.argv[1])

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with open(folder / "requests", "a") as file:
                    file.write(".")
                path = folder / "jwks.json"
                body = path.read_bytes() if path.exists() else b""
                self.send_response(200 if path.exists() else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        """
}

struct TestClaims: JWTPayload {
    var iss: String? = Issuer.name
    var sub: String? = "alice"
    var aud: [String]? = [Issuer.audience]
    var exp: Double? = Date.now.timeIntervalSince1970 + 300
    var nbf: Double?
    var scope: String? = "read openid"
    var scp: [String]?

    func verify(using algorithm: some JWTAlgorithm) {}
}
