import EventLoops
import HTTPClient
import Testing

@Suite("Responses that are read as they come", .timeLimit(.minutes(1)))
struct StreamTests {
    let client = HTTPClient(on: EventLoop(name: "stream-test"))
    let server: MisbehavingServer

    init() throws { server = try MisbehavingServer.shared.get() }

    private func url(_ path: String) -> String { "http://127.0.0.1:\(server.port)\(path)" }

    private func open(_ path: String, idleTimeout: Duration? = nil) async throws -> HTTPResponseStream {
        try await client.open(HTTPRequest(.get, url(path), timeout: nil, idleTimeout: idleTimeout))
    }

    private func failure(of stream: HTTPResponseStream) async throws -> HTTPError {
        try await #require(throws: HTTPError.self) { while try await stream.next() != nil {} }
    }

    @Test("the head comes before the body")
    func head() async throws {
        let start = ContinuousClock.now
        let stream = try await open("/events?count=2&pause=30")
        #expect(stream.status == 200)
        #expect(stream.headers["content-type"] == "text/event-stream")
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test("events come one by one, in whatever pieces")
    func events() async throws {
        let stream = try await open("/events?count=2000")
        var parser = EventStreamParser()
        var events: [EventStreamParser.Event] = []
        while let bytes = try await stream.next() { events += try parser.parse(bytes) }
        #expect(events.map(\.data) == (0..<2000).map(String.init))
        #expect(parser.lastEventID == "1999")
        #expect(try await stream.next() == nil)
    }

    @Test("what nobody reads is not fetched, and comes whole when it is read")
    func backPressure() async throws {
        let chunks = 1024
        let stream = try await open("/flood?chunks=\(chunks)")
        var last = -1
        // Until the buffers on the way are full.
        while true {
            try await Task.sleep(for: .milliseconds(200))
            let sent = try await flooded()
            if sent == last { break }
            last = sent
        }
        #expect(last < chunks << 15, "the server could send \(last) bytes")
        var size = 0
        while let bytes = try await stream.next() { size += bytes.count }
        #expect(size == chunks << 16)
    }

    private func flooded() async throws -> Int {
        let body = try await client.send(HTTPRequest(.get, url("/flooded"))).body
        return try #require(Int(String(decoding: body, as: UTF8.self)))
    }

    @Test("interim heads are no heads, and an empty body is an end")
    func interim() async throws {
        let stream = try await open("/interim")
        #expect(stream.status == 200 && stream.headers["X-Final"] == "yes" && stream.headers["Link"] == nil)
        #expect(try await stream.collect().body == Array("final".utf8))
        let empty = try await open("/status?code=204")
        #expect(empty.status == 204 && !(empty.headers["X-Twice"] ?? "").isEmpty)
        #expect(try await empty.next() == nil)
    }

    @Test("an error is a response like any")
    func status() async throws {
        let stream = try await open("/status?code=503")
        #expect(stream.status == 503 && !stream.isSuccess)
        #expect(try await stream.collect().body == Array("said so".utf8))
    }

    @Test("what is collected has a limit")
    func limit() async throws {
        let stream = try await open("/large?chunks=100000")
        let error = await #expect(throws: HTTPError.self) { try await stream.collect(upTo: 1 << 20) }
        #expect(error?.code == .tooLarge)
        #expect(try await client.send(HTTPRequest(.get, url("/echo"))).status == 200)
    }

    @Test("what has come before the connection breaks is read before the break is told")
    func truncated() async throws {
        for path in ["/truncated", "/truncated-chunks"] {
            let stream = try await open(path)
            #expect(try await stream.next() == Array("short".utf8))
            #expect(try await failure(of: stream).code == .connectionLost)
            #expect(try await failure(of: stream).code == .connectionLost)
        }
    }

    @Test("without a head there is no stream", arguments: ["/reset", "/nothing", "/garbage", "/large-headers"])
    func noHead(_ path: String) async throws {
        await #expect(throws: HTTPError.self) { try await open(path) }
    }

    @Test("a server that has fallen silent is given up, one that drips is not")
    func silence() async throws {
        let silent = try await open("/events?count=3&hold=30", idleTimeout: .seconds(1))
        #expect(try await failure(of: silent).code == .timeout)
        let dripping = try await open("/drip", idleTimeout: .seconds(1))
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(3) { #expect(try await dripping.next() != nil) }
    }

    @Test("cancelling ends the wait, before the head and after it")
    func cancellation() async throws {
        for path in ["/slow?seconds=30", "/events?count=0&hold=30"] {
            let start = ContinuousClock.now
            let task = Task {
                let stream = try await open(path)
                while try await stream.next() != nil {}
            }
            try await Task.sleep(for: .milliseconds(100))
            task.cancel()
            let error = await #expect(throws: HTTPError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            #expect(ContinuousClock.now - start < .seconds(20))
        }
    }

    @Test("shutting down ends what is read")
    func shutdown() async throws {
        let stream = try await open("/events?count=0&hold=30")
        let task = Task { try await failure(of: stream) }
        try await Task.sleep(for: .milliseconds(100))
        await client.shutdown()
        #expect(try await task.value.code == .stopped)
    }

    @Test("a stream that is let go ends its exchange")
    func letGo() async throws {
        for _ in 0..<100 { #expect(try await open("/large?chunks=100000").next() != nil) }
        // More than the client has connections: those before were given back.
        #expect(try await client.send(HTTPRequest(.get, url("/echo"), timeout: .seconds(20))).status == 200)
    }
}
