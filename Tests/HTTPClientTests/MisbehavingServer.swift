import Foundation

/// `server.py` as a process. It ends with this one, whose end closes its standard input.
struct MisbehavingServer {
    let port: Int
    let securePort: Int
    /// The certificate of the TLS port, which no system trusts.
    let certificate: String

    static let shared = Result { try MisbehavingServer() }

    private init() throws {
        let server = Process()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("server.py")
        server.arguments = ["python3", script.path]
        let output = Pipe()
        server.standardOutput = output
        server.standardInput = Pipe()
        try server.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count == 3, let port = Int(words[0]), let securePort = Int(words[1]) else {
            throw ServerDidNotStart(output: line)
        }
        (self.port, self.securePort, certificate) = (port, securePort, String(words[2]))
        Self.process = server
    }

    /// Kept: a released `Process` closes the pipe that keeps the server alive.
    nonisolated(unsafe) private static var process: Process?

    struct ServerDidNotStart: Error { let output: String }
}
