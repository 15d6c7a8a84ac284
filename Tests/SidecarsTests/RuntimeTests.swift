import EventLoops
import Foundation
import Testing
import TestSupport

@testable import Sidecars

/// The connection to the runtime, against one that does everything wrong that can be done on a socket.
@Suite(.timeLimit(.minutes(1)))
struct RuntimeTests {
    /// What the other side does with one connection.
    enum Step: Sendable {
        /// Reads a request and answers with a frame.
        case reply([UInt8])
        /// Reads a request and answers with these bytes as they are.
        case raw([UInt8])
        /// Reads a request and says nothing.
        case silence
    }

    /// Listens on a socket; connection i goes through the i-th list of steps and is then closed.
    final class ScriptedRuntime: Sendable {
        let path: String

        init(_ script: [[Step]]) {
            let path = "\(NSTemporaryDirectory())rt-\(UInt32.random(in: 0 ... .max)).sock"
            self.path = path
            let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            precondition(status == 0 && listen(listener, 16) == 0)
            Thread.detachNewThread {
                for steps in script {
                    let connection = accept(listener, nil, nil)
                    for step in steps {
                        guard Self.readRequest(connection) else { break }
                        switch step {
                        case .reply(let body):
                            Self.write(
                                connection, withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) } + body)
                        case .raw(let bytes): Self.write(connection, bytes)
                        case .silence: _ = Self.readRequest(connection)
                        }
                    }
                    close(connection)
                }
                close(listener)
            }
        }

        private static func readRequest(_ connection: Int32) -> Bool {
            var header = [UInt8](repeating: 0, count: 4)
            guard recv(connection, &header, 4, Int32(MSG_WAITALL)) == 4 else { return false }
            let length = header.reduce(0) { $0 << 8 | Int($1) }
            var body = [UInt8](repeating: 0, count: length)
            return recv(connection, &body, length, Int32(MSG_WAITALL)) == length
        }

        private static func write(_ connection: Int32, _ bytes: [UInt8]) {
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    send(connection, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return }
                sent += count
            }
        }
    }

    func call(_ script: [[Step]], times: Int = 1, limit: Int = 1 << 20, timeout: Duration = .seconds(10)) async throws
        -> [Result<[UInt8], Runtime.Failure>]
    {
        let server = ScriptedRuntime(script)
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: limit, on: EventLoop(name: "test"))
        var results: [Result<[UInt8], Runtime.Failure>] = []
        for _ in 0..<times {
            results.append(try await within(.seconds(20)) { await runtime.call(Array("[1]".utf8), timeout: timeout) })
        }
        unlink(server.path)
        return results
    }

    let hello = Array("[]".utf8)

    @Test func manyCallsGoOverOneConnection() async throws {
        let results = try await call([[.reply(hello), .reply([]), .reply(hello)]], times: 3)
        #expect(results == [.success(hello), .success([]), .success(hello)])
    }

    @Test func aRuntimeThatClosesAfterEachReplyGetsAConnectionACall() async throws {
        let results = try await call(Array(repeating: [.reply(hello)], count: 20), times: 10)
        #expect(results == Array(repeating: .success(hello), count: 10))
    }

    @Test func aLargeReplyComesWhole() async throws {
        let large = (0..<10_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let results = try await call([[.reply(large), .reply(hello)]], times: 2, limit: 16 << 20)
        #expect(results == [.success(large), .success(hello)])
    }

    @Test func closingWithoutAReplySaysSo() async throws {
        guard case .failure(.closed(let reason)) = try await call([[.raw([])]])[0] else { throw Unexpected() }
        #expect(reason == "the runtime closed the connection without a reply")
    }

    @Test(arguments: [[0, 0], [0, 0, 0, 9, 1, 2], [0, 0, 0, 1]] as [[UInt8]])
    func aTruncatedReplySaysSo(bytes: [UInt8]) async throws {
        guard case .failure(.closed(let reason)) = try await call([[.raw(bytes)]])[0] else { throw Unexpected() }
        #expect(reason == "the runtime closed the connection in the middle of its reply, after \(bytes.count) bytes")
    }

    @Test func anOversizeReplyIsRefusedBeforeMemoryIsTaken() async throws {
        guard case .failure(.invalid(let reason)) = try await call([[.raw([255, 255, 255, 255, 1])]])[0] else {
            throw Unexpected()
        }
        #expect(reason.contains("4294967295 bytes, at most 1048576 are allowed"))
    }

    @Test func silenceIsATimeout() async throws {
        let results = try await call([[.silence]], timeout: .milliseconds(100))
        #expect(results == [.failure(.timeout(.milliseconds(100)))])
    }

    @Test func aRuntimeThatIsNotThereYetIsWaitedFor() async throws {
        let path = "\(NSTemporaryDirectory())rt-late-\(UInt32.random(in: 0 ... .max)).sock"
        let runtime = Runtime(path: path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        #expect(await runtime.probe() == false)
        let call = Task { await runtime.call([1], timeout: .seconds(10)) }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.drain()
        let result = try await within(.seconds(10)) { await call.value }
        #expect(result == .failure(.draining))
    }

    @Test func callsBeyondTheConnectionsWaitTheirTurn() async throws {
        let server = ScriptedRuntime([[.silence], [.reply(hello)]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        async let first = runtime.call([1], timeout: .milliseconds(300))
        try await Task.sleep(for: .milliseconds(50))
        async let second = runtime.call([2], timeout: .seconds(10))
        #expect(await first == .failure(.timeout(.milliseconds(300))))
        #expect(await second == .success(hello))
        unlink(server.path)
    }

    @Test func aCallThatNobodyWantsAnyMoreIsNotMade() async throws {
        let server = ScriptedRuntime([[.silence], [.reply(hello)]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        async let first = runtime.call([1], timeout: .milliseconds(300))
        try await Task.sleep(for: .milliseconds(50))
        async let second = runtime.call([2], as: .init(2)) { .failure(.withdrawn) }
        #expect(await first == .failure(.timeout(.milliseconds(300))))
        #expect(await second == .failure(.withdrawn))
        #expect(await runtime.call([3], timeout: .seconds(10)) == .success(hello))
        unlink(server.path)
    }

    @Test func aCallCanBeCancelledAndTheRuntimeHearsOfIt() async throws {
        let server = ScriptedRuntime([[.silence], [.reply(hello)]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        let first = Task { await runtime.call([1], as: .init(7)) { .success(.seconds(60)) } }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.cancel(.init(8))
        await runtime.cancel(.init(7))
        let result = try await within(.seconds(10)) { await first.value }
        #expect(result == .failure(.cancelled))
        // The next one has a connection of its own, as the first one's is closed.
        #expect(await runtime.call([2], timeout: .seconds(10)) == .success(hello))
        await runtime.cancel(.init(7))
        unlink(server.path)
    }

    @Test func whoComesAfterACallThatWasGivenUpIsNotBlamedForTheWait() async throws {
        let server = ScriptedRuntime([[.silence], [.silence], [.silence]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        let first = Task { await runtime.call([1], as: .init(7)) { .success(.seconds(60)) } }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.cancel(.init(7))
        #expect(await first.value == .failure(.cancelled))
        #expect(await runtime.call([2], timeout: .milliseconds(100)) == .failure(.occupied))
        // Nobody is before this one any more, as far as is known.
        #expect(await runtime.call([3], timeout: .milliseconds(100)) == .failure(.timeout(.milliseconds(100))))
        unlink(server.path)
    }

    @Test func stoppingEndsWhatIsUnderWayAndWhatWaits() async throws {
        let server = ScriptedRuntime([[.silence]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        let first = Task { await runtime.call([1], as: .init(1)) { .success(.seconds(60)) } }
        try await Task.sleep(for: .milliseconds(100))
        let second = Task { await runtime.call([2], as: .init(2)) { .success(.seconds(60)) } }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.stop()
        #expect(try await within(.seconds(10)) { await first.value } == .failure(.cancelled))
        #expect(try await within(.seconds(10)) { await second.value } == .failure(.draining))
        unlink(server.path)
    }

    // MARK: The gate

    @Test func whatWaitsBehindTheGateBeginsInItsOrderWhenItOpens() async throws {
        let server = ScriptedRuntime([[.reply(hello), .reply([1]), .reply([2])]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        #expect(await runtime.call([0], timeout: .seconds(10)) == .success(hello))
        await runtime.set(.holding)
        let first = Task { await runtime.call([1], timeout: .seconds(10)) }
        try await Task.sleep(for: .milliseconds(100))
        let second = Task { await runtime.call([2], as: .init(2)) { .success(.seconds(10)) } }
        let third = Task { await runtime.call([3], as: .init(3)) { .success(.seconds(10)) } }
        try await Task.sleep(for: .milliseconds(100))
        // Who waits there can still be cancelled.
        await runtime.cancel(.init(3))
        #expect(await third.value == .failure(.cancelled))
        await runtime.set(.open)
        #expect(await first.value == .success([1]))
        #expect(await second.value == .success([2]))
        unlink(server.path)
    }

    @Test func aClosedGateEndsWhatWaitsButForWhatHoldsOn() async throws {
        let server = ScriptedRuntime([[.reply(hello)], [.reply([1])]])
        let runtime = Runtime(path: server.path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        await runtime.set(.holding)
        let first = Task { await runtime.call([1], timeout: .seconds(10)) }
        let held = Task { await runtime.call([2], as: .init(2), holdsOn: true) { .success(.seconds(10)) } }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.set(.closed)
        #expect(try await within { await first.value } == .failure(.paused))
        #expect(await runtime.call([3], timeout: .seconds(10)) == .failure(.paused))
        await runtime.set(.open)
        #expect(try await within { await held.value } == .success(hello))
        unlink(server.path)
    }

    /// Its turn had come, but it has not begun.
    @Test func aClosedGateEndsTheWaitForARuntimeThatIsNotThere() async throws {
        let path = "\(NSTemporaryDirectory())rt-late-\(UInt32.random(in: 0 ... .max)).sock"
        let runtime = Runtime(path: path, connections: 1, maximumReply: 1 << 20, on: EventLoop(name: "test"))
        let call = Task { await runtime.call([1], timeout: .seconds(10)) }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.set(.closed)
        #expect(try await within(.seconds(10)) { await call.value } == .failure(.paused))
        await runtime.drain()
    }

    struct Unexpected: Error {}
}

extension Runtime {
    fileprivate func call(_ request: [UInt8], timeout: Duration) async -> Result<[UInt8], Failure> {
        await call(request, as: .init(0)) { .success(timeout) }
    }
}
