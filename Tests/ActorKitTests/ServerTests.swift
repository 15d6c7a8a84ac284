import EventLoops
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ActorKit

/// Waits until it is cancelled, or for the given milliseconds.
struct Napper: Handler {
    let seen: Seen
    init() { seen = Seen() }
    init(_ seen: Seen) { self.seen = seen }

    func handle(_ milliseconds: Int, _ context: Context) async throws -> Int {
        seen.started.add(1, ordering: .relaxed)
        do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch {
            seen.cancelled.add(1, ordering: .relaxed)
            throw error
        }
        return milliseconds
    }

    final class Seen: Sendable {
        let started = Atomic(0)
        let cancelled = Atomic(0)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct ServerTests {
    private let seen = Napper.Seen()

    private func withServer(
        _ environment: [String: String] = [:], stallTime: Duration = .seconds(30),
        _ body: (Server, ActorSettings) async throws -> Void
    ) async throws {
        let folder = TemporaryFolder()
        let settings = try testSettings(environment.merging(["TROUPE_SOCKET_DIR": folder.path]) { given, _ in given })
        let endpoint = Endpoint(settings: settings)
        try endpoint.clear()
        let loop = EventLoop(name: "actor-test")
        let server = Server(
            on: loop, answerer: try answerer(Napper(seen), environment), log: Log(level: .critical),
            stallTime: stallTime)
        await server.listen(on: try endpoint.bind())
        try await body(server, settings)
        endpoint.withdraw()
        await server.stop()
        loop.stop()
        withExtendedLifetime(folder) {}
    }

    @Test func aCallWhoseSidecarGoesAwayIsCancelled() async throws {
        try await withServer { server, settings in
            let client = try SocketClient(settings.socketPath)
            try client.send(request("60000"))
            try await eventually("the handler's turn") { seen.started.load(ordering: .relaxed) == 1 }
            client.close()
            try await eventually("the handler's turn") { seen.cancelled.load(ordering: .relaxed) == 1 }
            // Its place is free again.
            let next = try SocketClient(settings.socketPath)
            try next.send(request("0"))
            #expect(try await next.receive()?["payload"]?.integer == 0)
            next.close()
        }
    }

    @Test func aHalfClosedConnectionStillGetsItsReply() async throws {
        try await withServer { server, settings in
            let client = try SocketClient(settings.socketPath)
            try client.send(request("50"))
            client.closeForSending()
            #expect(try await client.receive()?["payload"]?.integer == 50)
            #expect(try await client.receive() == nil)
            client.close()
        }
    }

    @Test func concurrencyIsABound() async throws {
        try await withServer(["TROUPE_CONCURRENCY": "2"]) { server, settings in
            let clients = try (0..<5).map { _ in try SocketClient(settings.socketPath) }
            for client in clients { try client.send(request("60000")) }
            try await eventually("the handler's turn") { seen.started.load(ordering: .relaxed) == 2 }
            try await Task.sleep(for: .milliseconds(50))
            #expect(seen.started.load(ordering: .relaxed) == 2)
            // One that waits goes away without ever having run.
            clients.forEach { $0.close() }
            try await eventually("the handler's turn") {
                seen.cancelled.load(ordering: .relaxed) == seen.started.load(ordering: .relaxed)
            }
        }
    }

    @Test func stoppingAnswersWhatHasArrived() async throws {
        try await withServer { server, settings in
            let clients = try (0..<4).map { _ in try SocketClient(settings.socketPath) }
            for client in clients { try client.send(request("30")) }
            try await eventually("the handler's turn") { seen.started.load(ordering: .relaxed) >= 1 }
            await server.stop()
            for client in clients {
                #expect(try await client.receive()?["payload"]?.integer == 30)
                #expect(try await client.receive() == nil)
                client.close()
            }
        }
    }

    @Test func stoppingWaitsForARequestThatHasBegun() async throws {
        try await withServer { server, settings in
            let client = try SocketClient(settings.socketPath)
            let idle = try SocketClient(settings.socketPath)
            let body = request("1")
            let frame = withUnsafeBytes(of: UInt32(body.count).bigEndian, Array.init) + body
            try client.write(Array(frame[..<20]))
            // The server has accepted both once it answers a third.
            let other = try SocketClient(settings.socketPath)
            try other.send(request("0"))
            _ = try await other.receive()
            async let stopped: Void = server.stop()
            #expect(try await idle.receive() == nil)
            try client.write(Array(frame[20...]))
            #expect(try await client.receive()?["payload"]?.integer == 1)
            #expect(try await client.receive() == nil)
            await stopped
            for client in [client, idle, other] { client.close() }
        }
    }

    @Test func aPeerThatStopsInAFrameIsGivenUp() async throws {
        try await withServer(stallTime: .milliseconds(50)) { server, settings in
            let client = try SocketClient(settings.socketPath)
            try client.write([0, 0, 0, 100, 1, 2, 3])
            let reply = try await client.receive()
            #expect(reply?["error"]?.string == "msg_parsing_error")
            #expect(reply?["details"]?["message"]?.string == "the frame ended after 3 of 100 bytes")
            client.close()
        }
    }

    @Test func aPeerThatTakesNoReplyIsGivenUp() async throws {
        try await withServer(stallTime: .milliseconds(100)) { server, settings in
            let client = try SocketClient(settings.socketPath)
            // The reply carries the route, which is larger than the socket's buffer, and nobody reads it.
            let large = String(repeating: "x", count: 4 << 20)
            try client.send(Array(#"{"route":{"actors":["a"],"metadata":"\#(large)"},"payload":0}"#.utf8))
            let other = try SocketClient(settings.socketPath)
            try other.send(request("0"))
            #expect(try await other.receive()?["payload"]?.integer == 0)
            other.close()
            await server.stop()
            client.close()
        }
    }

    @Test func anIdleConnectionMayStay() async throws {
        try await withServer(stallTime: .milliseconds(20)) { server, settings in
            let client = try SocketClient(settings.socketPath)
            for _ in 0..<3 {
                try await Task.sleep(for: .milliseconds(80))
                try client.send(request("0"))
                #expect(try await client.receive()?["payload"]?.integer == 0)
            }
            client.close()
        }
    }
}

@Suite
struct EndpointTests {
    private func endpoint(_ folder: String) throws -> Endpoint {
        Endpoint(settings: try testSettings(["TROUPE_SOCKET_DIR": folder]))
    }

    private let temporary = TemporaryFolder()
    private func folder() -> String { temporary.path }

    @Test func foldersAreMade() throws {
        let folder = folder()
        let endpoint = try endpoint(folder + "/a/b")
        try endpoint.clear()
        close(try endpoint.bind())
        try endpoint.announce()
        #expect(FileManager.default.fileExists(atPath: folder + "/a/b/runtime-ready"))
        endpoint.withdraw()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/a/b") == [])
    }

    @Test func whatAKilledActorLeftIsTakenAway() throws {
        let endpoint = try endpoint(folder())
        try endpoint.clear()
        close(try endpoint.bind())
        try endpoint.announce()
        try endpoint.clear()
        let listener = try endpoint.bind()
        let error = try #require(throws: StartError.self) { try endpoint.clear() }
        #expect(error.exitCode == 73)
        #expect(error.message.contains("another runtime is listening there"))
        close(listener)
    }

    @Test func whatIsNoSocketIsLeftAlone() throws {
        let folder = folder()
        try FileManager.default.createDirectory(atPath: folder + "/runtime.sock", withIntermediateDirectories: true)
        let error = try #require(throws: StartError.self) { try endpoint(folder).clear() }
        #expect(error.exitCode == 73)
        #expect(FileManager.default.fileExists(atPath: folder + "/runtime.sock"))
    }

    @Test func pathsThatCannotBe() throws {
        for folder in ["/proc/nowhere", "/dev/null/x", folder() + "/" + String(repeating: "x", count: 120)] {
            let error = try #require(throws: StartError.self) {
                try endpoint(folder).clear()
                _ = try endpoint(folder).bind()
            }
            #expect(error.exitCode == 73, "\(folder)")
        }
    }
}
