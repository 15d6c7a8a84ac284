import Foundation
import TestSupport
import Testing

/// `server.py`.
struct MisbehavingServer {
    let port: Int
    let securePort: Int
    /// The certificate of the TLS port, which no system trusts.
    let certificate: String
    private let process: ScriptServer

    static let shared = Result { try MisbehavingServer() }

    private init() throws {
        process = try ScriptServer(Bundle.module.url(forResource: "server", withExtension: "py"))
        port = try #require(Int(process.words[0]))
        securePort = try #require(Int(process.words[1]))
        certificate = process.words[2]
    }
}
