import EventLoops
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Telemetry

@Suite(.timeLimit(.minutes(2)))
struct ProbeServerTests {
    private static let big = String(repeating: "0123456789abcdef", count: 500_000)

    private func start(
        patience: Duration = .seconds(60), _ more: [String: @Sendable () async -> ProbeServer.Response] = [:]
    ) async throws -> (server: ProbeServer, port: Int) {
        let routes: [String: @Sendable () async -> ProbeServer.Response] = [
            "/healthz": { .init(body: "fine\n") },
            "/readyz": { .init(status: 503, body: "not yet\n") },
            "/metrics": { .init(contentType: "text/plain; version=0.0.4", body: Self.big) },
        ]
        let server = ProbeServer(
            on: EventLoop(name: "probes"), patience: patience, routes: routes.merging(more) { $1 })
        return (server, try await server.listen(on: "127.0.0.1:0"))
    }

    private func ask(_ request: String, port: Int) async throws -> String {
        let client = try ProbeClient(port: port)
        client.send(request)
        return try await client.readAll()
    }

    @Test func answersItsRoutes() async throws {
        let (server, port) = try await start()
        #expect(
            try await ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", port: port)
                == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
                + "Connection: close\r\n\r\nfine\n")
        #expect(try await ask("GET /readyz?verbose=1 HTTP/1.0\r\n\r\n", port: port).hasPrefix("HTTP/1.1 503 "))
        await server.close()
    }

    @Test func answersHEADWithoutABody() async throws {
        let (server, port) = try await start()
        let answer = try await ask("HEAD /healthz HTTP/1.1\r\n\r\n", port: port)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.hasSuffix("Content-Length: 5\r\nConnection: close\r\n\r\n"))
        #expect(try await ask("HEAD /nothing HTTP/1.1\r\n\r\n", port: port).hasSuffix("\r\n\r\n"))
        await server.close()
    }

    @Test func namesItsRoutesToThoseWhoAskForOthers() async throws {
        let (server, port) = try await start()
        let answer = try await ask("GET / HTTP/1.1\r\n\r\n", port: port)
        #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
        #expect(answer.hasSuffix("not found; there are: /healthz /metrics /readyz\n"))
        await server.close()
    }

    @Test(arguments: [
        ("\r\n\r\n", "400"), ("GET\r\n\r\n", "400"), ("GET /healthz\r\n\r\n", "400"), ("GET  HTTP/1.1\r\n\r\n", "400"),
        ("GET /healthz SPDY/3\r\n\r\n", "400"), ("\u{16}\u{3}\u{1}\u{0}\r\n\r\n", "400"), ("ü ü ü\r\n\r\n", "400"),
        ("GET /healthz HTTP/1.1 x\r\n\r\n", "400"), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        ("POST /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405"), ("get /healthz HTTP/1.1\r\n\r\n", "405"),
        ("DELETE /nothing HTTP/1.1\r\n\r\n", "405"), ("GET /healthz/ HTTP/1.1\r\n\r\n", "404"),
        ("GET /HEALTHZ HTTP/1.1\r\n\r\n", "404"), ("GET ?x HTTP/1.1\r\n\r\n", "404"),
    ])
    func saysWhatIsWrongWithARequest(request: String, status: String) async throws {
        let (server, port) = try await start()
        #expect(try await ask(request, port: port).hasPrefix("HTTP/1.1 \(status) "))
        await server.close()
    }

    /// Whoever sends more than is read hears the answer all the same: no reset takes it away.
    @Test(arguments: [9000, 300_000])
    func refusesALongHeadAudibly(size: Int) async throws {
        let (server, port) = try await start()
        let client = try ProbeClient(port: port)
        client.send("GET /healthz HTTP/1.1\r\nX: " + String(repeating: "x", count: size))
        #expect(try await client.readAll().hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
        // A head that fits, and a body that nobody reads.
        let body = String(repeating: "y", count: size)
        let answer = try await ask("POST /healthz HTTP/1.1\r\nContent-Length: \(size)\r\n\r\n" + body, port: port)
        #expect(answer.hasPrefix("HTTP/1.1 405 "))
        await server.close()
    }

    @Test func takesAHeadInPieces() async throws {
        let (server, port) = try await start()
        let client = try ProbeClient(port: port)
        for byte in "GET /healthz HTTP/1.1\r\nHost: ü\r\n\r\n".utf8 {
            client.send(String(decoding: [byte], as: UTF8.self).replacingOccurrences(of: "\u{FFFD}", with: "?"))
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(try await client.readAll().hasSuffix("fine\n"))
        await server.close()
    }

    @Test func answersAClientThatHasEndedItsSide() async throws {
        let (server, port) = try await start([
            "/slow": {
                try? await Task.sleep(for: .milliseconds(100))
                return .init(body: "at last\n")
            }
        ])
        let client = try ProbeClient(port: port)
        client.send("GET /slow HTTP/1.1\r\n\r\n")
        client.endSending()
        #expect(try await client.readAll().hasSuffix("at last\n"))
        let mute = try ProbeClient(port: port)
        mute.endSending()
        #expect(try await mute.readAll() == "")
        await server.close()
    }

    @Test func sendsALongAnswerToASlowReader() async throws {
        let (server, port) = try await start()
        let client = try ProbeClient(port: port)
        client.send("GET /metrics HTTP/1.1\r\n\r\n")
        try await Task.sleep(for: .milliseconds(200))
        // Meanwhile others are served.
        #expect(try await ask("GET /healthz HTTP/1.1\r\n\r\n", port: port).hasSuffix("fine\n"))
        let answer = try await client.readAll()
        #expect(answer.utf8.count > Self.big.utf8.count)
        #expect(answer.hasSuffix(Self.big))
        await server.close()
    }

    @Test func dropsThoseWhoTakeTooLong() async throws {
        let (server, port) = try await start(patience: .milliseconds(200))
        let silent = try ProbeClient(port: port)
        let slow = try ProbeClient(port: port)
        slow.send("GET /healthz HT")
        #expect(try await silent.readAll() == "")
        #expect(try await slow.readAll() == "")
        await server.close()
    }

    /// A connection is dropped while its answer is being made; the next one gets its descriptor. The late answer is not
    /// for that one.
    @Test func aLateAnswerDoesNotReachASuccessor() async throws {
        let gate = Mutex<CheckedContinuation<Void, Never>?>(nil)
        let (server, port) = try await start(
            patience: .milliseconds(300),
            [
                "/late": {
                    await withCheckedContinuation { continuation in gate.withLock { $0 = continuation } }
                    return .init(body: "late\n")
                }
            ])
        // Has its own descriptor before the server's one becomes free.
        let second = ProbeClient()
        let first = try ProbeClient(port: port)
        first.send("GET /late HTTP/1.1\r\n\r\n")
        #expect(try await first.readAll() == "", "dropped for taking too long")
        try second.connect(to: port)
        try await eventually("the second is accepted") { await server.connectionCount == 1 }
        gate.withLock { $0 }?.resume()
        try await Task.sleep(for: .milliseconds(50))
        second.send("GET /healthz HTTP/1.1\r\n\r\n")
        #expect(try await second.readAll().hasSuffix("fine\n"))
        await server.close()
    }

    @Test func servesManyAtATimeAndTurnsTheRestAway() async throws {
        let (server, port) = try await start()
        var waiting = try (0..<64).map { _ in try ProbeClient(port: port) }
        try await eventually("all are accepted") { await server.connectionCount == 64 }
        #expect(try await ProbeClient(port: port).readAll() == "", "one too many")
        for client in waiting { client.send("GET /healthz HTTP/1.1\r\n\r\n") }
        for client in waiting { #expect(try await client.readAll().hasSuffix("fine\n")) }
        // The answered ones are let go although their clients do not close.
        try await eventually("all are gone") { await server.connectionCount == 0 }
        waiting = []
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<40 { group.addTask { try await ask("GET /healthz HTTP/1.1\r\n\r\n", port: port) } }
            for try await answer in group { #expect(answer.hasSuffix("fine\n")) }
        }
        await server.close()
        try await eventually("all are gone") { await server.connectionCount == 0 }
    }

    @Test(arguments: [
        ("", "'' is no address: expected host:port or :port"),
        ("8080", "'8080' is no address: expected host:port or :port"),
        (":x", "':x' is no address: expected host:port or :port"),
        (":65536", "':65536' is no address: expected host:port or :port"),
        ("no-ip:0", "'no-ip' in 'no-ip:0' is no IPv4 address"), ("[::1]:0", "'[::1]' in '[::1]:0' is no IPv4 address"),
    ])
    func namesAnAddressThatItCannotUse(address: String, message: String) async {
        let server = ProbeServer(on: EventLoop(name: "probes"), routes: [:])
        let error = await #expect(throws: ProbeServerError.self) { try await server.listen(on: address) }
        #expect(error?.description == message)
        await server.close()
    }

    @Test func saysThatAnAddressIsTaken() async throws {
        let (server, port) = try await start()
        let other = ProbeServer(on: EventLoop(name: "probes"), routes: [:])
        let error = await #expect(throws: ProbeServerError.self) { try await other.listen(on: "localhost:\(port)") }
        #expect(error?.description == "cannot listen on 'localhost:\(port)': Address already in use")
        await server.close()
        #expect(try await other.listen(on: "127.0.0.1:\(port)") == port)
        await other.close()
    }
}
