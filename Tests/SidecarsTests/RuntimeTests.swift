import Envelopes
import EventLoops
import Foundation
import Synchronization
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
        /// The same, so many bytes at a time.
        case pieces([UInt8], of: Int)
        /// Reads a request and sends these for ever.
        case endless([UInt8])
        /// Reads a request and answers with the address of the other side.
        case nameOfPeer
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
                        case .pieces(let bytes, let size):
                            for start in stride(from: 0, to: bytes.count, by: size) {
                                Self.write(connection, Array(bytes[start...].prefix(size)))
                                if start % 100 == 0 { usleep(100) }
                            }
                        case .endless(let bytes): while Self.write(connection, bytes) {}
                        case .nameOfPeer:
                            let name = Self.nameOfPeer(connection)
                            Self.write(
                                connection, withUnsafeBytes(of: UInt32(name.count).bigEndian) { Array($0) } + name)
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

        private static func nameOfPeer(_ connection: Int32) -> [UInt8] {
            var address = sockaddr_un()
            var length = socklen_t(MemoryLayout<sockaddr_un>.size)
            _ = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(connection, $0, &length) }
            }
            return withUnsafeBytes(of: &address.sun_path) { Array($0.prefix(Int(length) - 2)) }
        }

        /// - Returns: whether the other side has taken it.
        @discardableResult
        private static func write(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    send(connection, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return false }
                sent += count
            }
            return true
        }
    }

    func call(_ script: [[Step]], times: Int = 1, limit: Int = 1 << 20, timeout: Duration = .seconds(10)) async throws
        -> [Result<[UInt8], Runtime.Failure>]
    {
        let server = ScriptedRuntime(script)
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: limit), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
        #expect(await runtime.probe() == false)
        let call = Task { await runtime.call([1], timeout: .seconds(10)) }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.drain()
        let result = try await within(.seconds(10)) { await call.value }
        #expect(result == .failure(.draining))
    }

    @Test func callsBeyondTheConnectionsWaitTheirTurn() async throws {
        let server = ScriptedRuntime([[.silence], [.reply(hello)]])
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
        async let first = runtime.call([1], timeout: .milliseconds(300))
        try await Task.sleep(for: .milliseconds(50))
        async let second = runtime.call([2], timeout: .seconds(10))
        #expect(await first == .failure(.timeout(.milliseconds(300))))
        #expect(await second == .success(hello))
        unlink(server.path)
    }

    @Test func aCallThatNobodyWantsAnyMoreIsNotMade() async throws {
        let server = ScriptedRuntime([[.silence], [.reply(hello)]])
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
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
        let runtime = Runtime(
            path: path, connections: 1, limits: JSONLimits(size: 1 << 20), on: EventLoop(name: "test"))
        let call = Task { await runtime.call([1], timeout: .seconds(10)) }
        try await Task.sleep(for: .milliseconds(100))
        await runtime.set(.closed)
        #expect(try await within(.seconds(10)) { await call.value } == .failure(.paused))
        await runtime.drain()
    }

    // MARK: Events

    private func frame(_ text: String) -> [UInt8] {
        var bytes = withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { Array($0) }
        bytes += text.utf8
        return bytes
    }

    private func event(_ number: Int) -> [UInt8] { frame(#"{"event":{"type":"token","data":\#(number)}}"#) }

    /// What came as events, and how the calls have ended.
    private func eventful(_ script: [[Step]], times: Int = 1, timeout: Duration = .seconds(10)) async throws
        -> (events: [String], results: [Result<[UInt8], Runtime.Failure>])
    {
        let server = ScriptedRuntime(script)
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), takesEvents: true,
            on: EventLoop(name: "test"))
        let events = Mutex<[String]>([])
        var results: [Result<[UInt8], Runtime.Failure>] = []
        for _ in 0..<times {
            results.append(
                try await within(.seconds(20)) {
                    await runtime.call([1], as: .init(0)) { event in
                        events.withLock { $0.append(event["data"]?.description ?? event.description) }
                    } permit: {
                        .success(timeout)
                    }
                })
        }
        unlink(server.path)
        return (events.withLock(\.self), results)
    }

    @Test func eventsComeBeforeTheReplyHoweverTheyAreCut() async throws {
        let all = Array((0..<100).map(event).joined()) + frame("[]")
        let numbers = (0..<100).map(String.init)
        let (events, results) = try await eventful([[.raw(all), .pieces(all, of: 7), .reply(hello)]], times: 3)
        #expect(events == numbers + numbers)
        #expect(results == [.success(hello), .success(hello), .success(hello)])
    }

    @Test func aLargeEventComesWhole() async throws {
        let text = String(repeating: "x", count: 500_000)
        let large = frame(#" {"event": {"type": "t", "data": "\#(text)"}}"#)
        let (events, results) = try await eventful([[.raw([event(1), large, event(2), frame("[]")].flatMap(\.self))]])
        #expect(events.map(\.count) == [1, 500_002, 1])
        #expect(results == [.success(hello)])
    }

    @Test func whatIsNoEventIsAReply() async throws {
        for text in [#"{"evens":1}"#, "{", #"{"event":1"#, "5", "", "{}{}"] {
            let (events, results) = try await eventful([[.raw(frame(text))]])
            #expect(events == [])
            #expect(results == [.success(Array(text.utf8))])
        }
        // What stands in it is not the connection's business.
        let (events, results) = try await eventful([[.raw(frame(#"{"event":7}"#) + frame("[]"))]])
        #expect(events == ["7"])
        #expect(results == [.success(hello)])
    }

    @Test func aRuntimeThatDiesAfterEventsHasDiedDuringTheCall() async throws {
        // Also on a connection that has answered before, where a silent end would be a good-bye.
        let (events, results) = try await eventful([[.reply(hello), .raw(event(1))], [.reply(hello)]], times: 2)
        #expect(events == ["1"])
        guard case .failure(.closed) = results[1] else { throw Unexpected() }
    }

    @Test func whatAReplacedRuntimeLeavesIsNoCrashAndTheNextOneGetsWhatWaits() async throws {
        // Each connection is its own process: the first is replaced in the middle of the call, the second answers.
        let server = ScriptedRuntime([[.raw(event(1))], [.reply(hello)]])
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), takesEvents: true,
            on: EventLoop(name: "test"))
        @Sendable func call(_ number: UInt64) async -> Result<[UInt8], Runtime.Failure> {
            await runtime.call([1], as: .init(number)) { _ in
                runtime.assumeIsolated { $0.beginReplacement() }
            } permit: {
                .success(.seconds(10))
            }
        }
        #expect(try await within { await call(0) } == .failure(.replaced))
        let next = Task { await call(1) }
        #expect(await !runtime.probe())
        try await Task.sleep(for: .milliseconds(100))
        #expect(await runtime.isReachable == false)
        await runtime.endReplacement()
        #expect(try await within { await next.value } == .success(hello))
        unlink(server.path)
    }

    @Test func whatComesBehindTheReplyIsNobodysAndSpoilsNoOtherCall() async throws {
        let behind = [frame("[]"), event(13), frame("[13]")].flatMap(\.self)
        let (events, results) = try await eventful([[.raw(behind), .reply([13])], [.reply(hello)]], times: 2)
        #expect(events == [])
        #expect(results == [.success(hello), .success(hello)])
    }

    @Test func endlessEventsNeitherHoldUpOthersNorOutlastTheCall() async throws {
        let server = ScriptedRuntime([[.endless(event(1))]])
        let loop = EventLoop(name: "test")
        let runtime = Runtime(
            path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), takesEvents: true, on: loop)
        let calls = Task {
            await runtime.call([1], as: .init(0)) { _ in
            } permit: {
                .success(.seconds(3))
            }
        }
        // The loop still turns for others meanwhile: they are done long before the call is.
        let others = Task { for _ in 0..<5 { await loop.sleep(for: .milliseconds(20)) } }
        let isFirst = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await others.value
                return true
            }
            group.addTask {
                _ = await calls.value
                return false
            }
            return await group.next() ?? false
        }
        #expect(isFirst)
        #expect(try await within(.seconds(20)) { await calls.value } == .failure(.timeout(.seconds(3))))
        unlink(server.path)
    }

    @Test func theRuntimeIsToldOnlyWhereEventsAreTaken() async throws {
        for takesEvents in [true, false] {
            let server = ScriptedRuntime([[.nameOfPeer]])
            let runtime = Runtime(
                path: server.path, connections: 1, limits: JSONLimits(size: 1 << 20), takesEvents: takesEvents,
                on: EventLoop(name: "test"))
            let result = try await within(.seconds(10)) { await runtime.call([1], timeout: .seconds(5)) }
            let name = String(decoding: try result.get(), as: UTF8.self)
            #expect(takesEvents ? name.hasPrefix("\0troupe-events-1/") && name.utf8.count == 33 : name == "")
            unlink(server.path)
        }
    }

    struct Unexpected: Error {}
}

extension Runtime {
    fileprivate func call(_ request: [UInt8], timeout: Duration) async -> Result<[UInt8], Failure> {
        await call(request, as: .init(0)) { .success(timeout) }
    }
}
