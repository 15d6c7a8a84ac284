import EventLoops
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing

@testable import Gateways

@Suite("Connections", .serialized)
struct ServerTests {
    /// Sends pieces with pauses, and says how long it took until the other end has closed; `nil` if it hasn't.
    private func drip(
        _ port: Int, _ first: String, _ pieces: Int, pause: Double, reads: Bool = true
    ) async throws -> (closedAfter: Double?, answer: String) {
        try await BlockingThread.run {
            Result {
                let socket = try TestSocket(port: port)
                defer { socket.close() }
                let start = MonotonicTime.now
                socket.send(Array(first.utf8))
                for _ in 0..<pieces {
                    Thread.sleep(forTimeInterval: pause)
                    if socket.isClosed { return (start.duration(to: .now).inSeconds, "") }
                    socket.send(Array("x".utf8))
                }
                guard reads else { return (nil, "") }
                return (nil, String(decoding: try socket.read(atMost: 65536), as: UTF8.self))
            }
        }.get()
    }

    private let post = "POST /envelopes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{"

    @Test("a head, or a body, that drips is not waited for; the gateway goes on meanwhile")
    func drips() async throws {
        try await withGateway {
            $0.idleTimeout = .seconds(1)
            $0.server.bodyPatience = .milliseconds(500)
        } _: { gateway, _ in
            let port = gateway.client.port
            async let head = drip(port, "GET /healthz HTTP/1.1\r\nHost: local", 40, pause: 0.1)
            async let body = drip(port, post, 40, pause: 0.1)
            async let silent = drip(port, "", 40, pause: 0.1, reads: false)
            #expect(try await gateway.client.get("/healthz").status == 200)
            let closed = try await [head, body].map(\.closedAfter)
            _ = try await silent
            for time in closed { #expect((0.4...3).contains(time ?? 0), "\(closed)") }
        }
    }

    @Test("a connection on which nothing comes is closed")
    func silence() async throws {
        try await withGateway {
            $0.idleTimeout = .seconds(1)
        } _: { gateway, _ in
            let port = gateway.client.port
            let seconds = try await BlockingThread.run {
                Result {
                    let socket = try TestSocket(port: port)
                    defer { socket.close() }
                    let start = MonotonicTime.now
                    #expect(throws: (any Error).self) { try socket.read(atMost: 1) }
                    return start.duration(to: .now).inSeconds
                }
            }.get()
            #expect((0.5...3).contains(seconds))
        }
    }

    @Test("a client that takes no more of its answer is let go")
    func unread() async throws {
        try await withGateway {
            $0.idleTimeout = .seconds(1)
        } _: { gateway, _ in
            let big = String(repeating: "x", count: 12 << 20)
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":"\#(big)"}"#
            #expect(try await gateway.client.post("/envelopes", body).status == 202)
            let port = gateway.client.port
            let socket = try TestSocket(port: port)
            defer { socket.close() }
            socket.send(Array("GET /envelopes/e HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            // What the system's buffers hold comes, and then the end instead of the rest.
            try await Task.sleep(for: .seconds(4))
            let count = await BlockingThread.run {
                var count = 0
                while let bytes = try? socket.read(atMost: 1 << 20) { count += bytes.count }
                return count
            }
            #expect(count < 12 << 20)
        }
    }

    @Test("a head that is too large gets 431", arguments: [(1000, 1), (1, 40_000), (20, 2000)])
    func headerFlood(count: Int, length: Int) async throws {
        let headers = (0..<count).map { "X-\($0): \(String(repeating: "x", count: length))\r\n" }.joined()
        try await withGateway { gateway, _ in
            let head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n"
            let answer = try await gateway.client.send(raw: Array(head.utf8))
            #expect(answer.status == 431)
            #expect(answer.code == "head_too_large")
            #expect(try await gateway.client.get("/healthz").status == 200)
        }
    }

    @Test("more connections than there may be wait until one is free")
    func connections() async throws {
        try await withGateway {
            $0.server.connectionLimit = 3
        } _: { gateway, _ in
            let port = gateway.client.port
            var sockets = try (0..<3).map { _ in try TestSocket(port: port) }
            // They are taken.
            for socket in sockets {
                socket.send(Array("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                #expect(try socket.readHead().0 == 200)
            }
            let isAnswered = Atomic(false)
            async let answer = {
                let answer = try await gateway.client.get("/healthz")
                isAnswered.store(true, ordering: .relaxed)
                return answer.status
            }()
            try await Task.sleep(for: .milliseconds(300))
            let early = isAnswered.load(ordering: .relaxed)
            #expect(!early)
            sockets.removeLast().close()
            #expect(try await answer == 200)
            for socket in sockets { socket.close() }
        }
    }

    @Test("pages that are let in can read what they get, errors as well; others get no leave")
    func crossOrigin() async throws {
        try await withKeys(configure: { $0.auth.origins.origins = ["https://app.test"] }) { gateway, keys in
            let preflight = try await gateway.client.send(
                "OPTIONS", "/mcp",
                headers: [
                    "Origin": "https://app.test", "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization, mcp-param-region, x-evil",
                ])
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-origin"] == "https://app.test")
            let allowed = preflight.headers["access-control-allow-headers"]?.lowercased() ?? ""
            for name in [
                "authorization", "mcp-session-id", "mcp-protocol-version", "last-event-id", "mcp-param-region",
            ] {
                #expect(allowed.contains(name), "\(name)")
            }
            #expect(!allowed.contains("x-evil"))
            #expect(preflight.headers["access-control-allow-methods"]?.contains("DELETE") == true)
            #expect(preflight.headers["access-control-allow-credentials"] == nil)

            for headers in [[:], keys.headers(.read)] {
                let answer = try await gateway.client.get(
                    "/envelopes/x", headers: headers.merging(["Origin": "https://app.test"]) { $1 })
                #expect(answer.status == (headers.isEmpty ? 401 : 404))
                #expect(answer.headers["access-control-allow-origin"] == "https://app.test")
                #expect(answer.headers["vary"] == "Origin")
                let exposed = answer.headers["access-control-expose-headers"] ?? ""
                for name in ["Mcp-Session-Id", "WWW-Authenticate", "Retry-After"] { #expect(exposed.contains(name)) }
            }
            let evil = ["Origin": "https://evil.test", "Access-Control-Request-Method": "POST"]
            let refused = try await gateway.client.send("OPTIONS", "/mcp", headers: evil)
            #expect(refused.headers["access-control-allow-origin"] == nil)
            let answer = try await gateway.client.get(
                "/envelopes/x", headers: keys.headers(.read).merging(evil) { $1 })
            #expect(answer.status == 403)
            #expect(answer.code == "forbidden_origin")
            let rebound = try await gateway.client.get(
                "/envelopes/x", headers: keys.headers(.read).merging(["Host": "evil.test"]) { $1 })
            #expect(rebound.status == 403)
            // Probes call by address.
            #expect(try await gateway.client.get("/healthz", headers: ["Host": "10.1.2.3:8080"]).status == 200)
        }
    }

    // MARK: TLS

    /// A certificate of its own authority, and its key.
    private func certificate(_ folder: TemporaryFolder, _ name: String) throws -> TLSFiles {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let files = TLSFiles(certificate: "\(folder.path)/\(name).pem", key: "\(folder.path)/\(name).key")
        try TestServers.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout", files.key, "-out",
            files.certificate,
        ])
        return files
    }

    private func status(_ port: Int, authority: String) async throws(HTTPError) -> Int {
        let client = HTTPClient(
            on: EventLoop(name: "tls"), configuration: .init(certificateAuthorities: authority))
        return try await client.send(HTTPRequest(.get, "https://localhost:\(port)/healthz")).status
    }

    @Test("TLS by two files, which are read again; not below 1.2")
    func tls() async throws {
        let folder = TemporaryFolder()
        let (files, other) = (try certificate(folder, "a"), try certificate(folder, "b"))
        try await withGateway {
            $0.server.tls = files
            $0.configReload = .milliseconds(50)
        } _: { gateway, _ in
            let port = gateway.client.port
            let old = "\(folder.path)/old.pem"
            try FileManager.default.copyItem(atPath: files.certificate, toPath: old)
            #expect(try await status(port, authority: old) == 200)
            let stranger = await #expect(throws: HTTPError.self) {
                try await status(port, authority: other.certificate)
            }
            #expect(stranger?.code == .tls)
            await #expect(throws: (any Error).self) { try await gateway.client.get("/healthz") }
            #expect(throws: TestServers.Failed.self) {
                try TestServers.run([
                    "sh", "-c", "echo | openssl s_client -connect localhost:\(port) -tls1_1 -cipher ALL:@SECLEVEL=0",
                ])
            }
            // The certificate without its key changes nothing; then comes the key.
            try Data(contentsOf: URL(fileURLWithPath: other.certificate)).write(
                to: URL(fileURLWithPath: files.certificate))
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await status(port, authority: old) == 200)
            try Data(contentsOf: URL(fileURLWithPath: other.key)).write(to: URL(fileURLWithPath: files.key))
            try await eventually("the new certificate is shown") {
                (try? await status(port, authority: other.certificate)) == 200
            }
        }
    }

    @Test("files that make no TLS are a reason not to start, and are named")
    func wrongFiles() async throws {
        let folder = TemporaryFolder()
        let (files, other) = (try certificate(folder, "a"), try certificate(folder, "b"))
        for (tls, words) in [
            (TLSFiles(certificate: "/nowhere.pem", key: files.key), "/nowhere.pem: cannot be read"),
            (TLSFiles(certificate: files.key, key: files.key), "\(files.key): holds no certificate"),
            (TLSFiles(certificate: files.certificate, key: files.certificate), "holds no private key"),
            (TLSFiles(certificate: files.certificate, key: other.key), "is not the key of the certificate"),
        ] {
            let error = await #expect(throws: GatewayStartError.self) {
                try await TestGateway.start(.of("postgresql://127.0.0.1:1/x")) { $0.server.tls = tls }
            }
            #expect(error?.exitCode == 78)
            #expect(error?.message.contains(words) == true, "\(words): \(error?.message ?? "")")
            #expect(error?.message.hasPrefix("TROUPE_GATEWAY_TLS_CERT") == true)
        }
    }
}
