import EventLoops
import Foundation
import HTTPClient
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPClientTests {
    let client = HTTPClient(on: EventLoop(name: "http-test"))
    let server: MisbehavingServer

    init() throws { server = try MisbehavingServer.shared.get() }

    private func url(_ path: String) -> String { "http://127.0.0.1:\(server.port)\(path)" }

    private func failure(_ request: HTTPRequest) async throws -> HTTPError {
        try await #require(throws: HTTPError.self) { try await client.send(request) }
    }

    struct Echo: Decodable {
        var method: String
        var target: String
        var headers: [[String]]
        var body: String

        func values(of name: String) -> [String] {
            headers.filter { $0[0].lowercased() == name.lowercased() }.map { $0[1] }
        }
    }

    private func echo(_ request: HTTPRequest) async throws -> Echo {
        try JSONDecoder().decode(Echo.self, from: Data(try await client.send(request).body))
    }

    // MARK: What is sent

    @Test(arguments: HTTPRequest.Method.allCases.filter { $0 != .head })
    func methodsArriveWithAndWithoutBody(_ method: HTTPRequest.Method) async throws {
        let bare = try await echo(HTTPRequest(method, url("/echo?a=1&b=%2F")))
        #expect(bare.method == method.rawValue)
        #expect(bare.target == "/echo?a=1&b=%2F")
        let full = try await echo(HTTPRequest(method, url("/echo"), body: Array("hällo\0".utf8)))
        #expect(full.method == method.rawValue)
        #expect(full.body == latin1("hällo\0"))
        #expect(full.values(of: "Content-Length") == ["7"])
    }

    @Test func headHasNoBody() async throws {
        let response = try await client.send(HTTPRequest(.head, url("/status?code=200"), maximumResponseBytes: 1))
        #expect(response.status == 200)
        #expect(response.body.isEmpty)
        #expect(response.headers["content-length"] == "7")
    }

    @Test func emptyBodyIsSentAsEmpty() async throws {
        let seen = try await echo(HTTPRequest(.put, url("/echo"), body: []))
        #expect(seen.values(of: "Content-Length") == ["0"])
    }

    @Test func nothingIsAddedThatTheCallerDidNotAskFor() async throws {
        let seen = try await echo(HTTPRequest(.post, url("/echo"), body: [UInt8](repeating: 120, count: 2 << 20)))
        #expect(seen.values(of: "Expect").isEmpty)
        #expect(seen.values(of: "Content-Type").isEmpty)
        #expect(seen.values(of: "Accept-Encoding").isEmpty)
        #expect(seen.values(of: "User-Agent") == ["troupe"])
    }

    @Test func headersArriveAsGiven() async throws {
        var request = HTTPRequest(.post, url("/echo"), headers: ["X-A": "1", "X-Empty": "", "content-type": "text/x"])
        request.headers.add(name: "X-A", value: "2; q=\"ü\"")
        request.body = [1]
        let seen = try await echo(request)
        #expect(seen.values(of: "X-A") == ["1", latin1("2; q=\"ü\"")])
        #expect(seen.values(of: "X-Empty") == [""])
        #expect(seen.values(of: "Content-Type") == ["text/x"])
    }

    @Test func credentialsInTheURLBecomeBasicAuthentication() async throws {
        let seen = try await echo(HTTPRequest(.get, "http://anna:s3cret@127.0.0.1:\(server.port)/echo"))
        #expect(seen.values(of: "Authorization") == ["Basic " + Data("anna:s3cret".utf8).base64EncodedString()])
    }

    // MARK: What comes back

    @Test(arguments: [200, 204, 304, 404, 500, 599])
    func everyStatusIsAResponse(_ status: Int) async throws {
        let response = try await client.send(HTTPRequest(.get, url("/status?code=\(status)")))
        #expect(response.status == status)
        #expect(response.isSuccess == (status < 300))
        #expect(response.headers.values(of: "X-TWICE") == ["a", "b"])
        #expect(response.headers["x-empty"] == "")
        #expect(response.headers["x-absent"] == nil)
    }

    @Test func tenMebibytesComeBackByteForByte() async throws {
        let body = (0..<10 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        let response = try await client.send(HTTPRequest(.put, url("/mirror"), body: body))
        #expect(response.body == body)
    }

    @Test func redirectsAreNotFollowed() async throws {
        let response = try await client.send(HTTPRequest(.get, url("/redirect")))
        #expect(response.status == 302)
        #expect(response.headers["Location"] == "/echo")
    }

    @Test func interimResponsesAreSkipped() async throws {
        let response = try await client.send(HTTPRequest(.get, url("/interim")))
        #expect(response.status == 200)
        #expect(response.headers["Link"] == nil)
        #expect(response.headers["X-Final"] == "yes")
        #expect(response.body == Array("final".utf8))
    }

    @Test func connectionsAreKept() async throws {
        var seen: Set<[UInt8]> = []
        for _ in 0..<5 { seen.insert(try await client.send(HTTPRequest(.get, url("/connection"))).body) }
        #expect(seen.count == 1)
    }

    @Test func aConnectionThatTheServerClosedMeanwhileIsReplaced() async throws {
        for _ in 0..<20 {
            let response = try await client.send(HTTPRequest(.post, url("/close-later"), body: [1, 2, 3]))
            #expect(response.status == 200)
        }
    }

    @Test func manyRequestsRunAtOnce() async throws {
        let start = ContinuousClock.now
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<200 {
                group.addTask { try await client.send(HTTPRequest(.get, url("/slow?seconds=0.2"))).status }
            }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses == [Int](repeating: 200, count: 200))
        // 200 requests over 64 connections: four rounds of 0.2 s, not 200.
        #expect(ContinuousClock.now - start < .seconds(25))
    }

    // MARK: What goes wrong

    @Test(arguments: [
        "", "/", "nonsense", "http://", "ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://x", "http://a b/",
        "http://127.0.0.1/\r\nX: y", "http://127.0.0.1:99999/", "http://[::1", "HTTP//x", "http://127.0.0.1/\0",
    ])
    func wrongURLsAreRefused(_ url: String) async throws {
        #expect(try await failure(HTTPRequest(.get, url)).code == .invalidRequest)
    }

    @Test(arguments: [
        HTTPHeaders([.init(name: "X", value: "a\r\nY: b")]), HTTPHeaders([.init(name: "X", value: "a\0b")]),
        HTTPHeaders([.init(name: "", value: "a")]), HTTPHeaders([.init(name: "X:", value: "a")]),
        HTTPHeaders([.init(name: "X Y", value: "a")]), HTTPHeaders([.init(name: "Ü", value: "a")]),
    ])
    func wrongHeadersAreRefused(_ headers: HTTPHeaders) async throws {
        #expect(try await failure(HTTPRequest(.get, url("/echo"), headers: headers)).code == .invalidRequest)
    }

    @Test func wrongLimitsAreRefused() async throws {
        #expect(try await failure(HTTPRequest(.get, url("/"), timeout: .zero)).code == .invalidRequest)
        #expect(try await failure(HTTPRequest(.get, url("/"), connectTimeout: .seconds(-1))).code == .invalidRequest)
        #expect(try await failure(HTTPRequest(.get, url("/"), maximumResponseBytes: -1)).code == .invalidRequest)
        #expect(try await client.send(HTTPRequest(.get, url("/echo"), timeout: .seconds(Int64.max))).status == 200)
    }

    @Test(arguments: [
        ("/truncated", HTTPError.Code.connectionLost), ("/truncated-chunks", .connectionLost),
        ("/reset", .connectionLost), ("/nothing", .connectionLost), ("/garbage", .protocolViolation),
        ("/large-headers", .tooLarge),
    ])
    func brokenResponsesAreErrors(_ path: String, _ code: HTTPError.Code) async throws {
        #expect(try await failure(HTTPRequest(.get, url(path))).code == code)
    }

    @Test func longerBodiesThanAllowedAreCutOff() async throws {
        let exact = try await client.send(HTTPRequest(.get, url("/large?chunks=16"), maximumResponseBytes: 1 << 20))
        #expect(exact.body.count == 1 << 20)
        let error = try await failure(HTTPRequest(.get, url("/large?chunks=100000"), maximumResponseBytes: 1 << 20))
        #expect(error.code == .tooLarge)
        #expect(error.message.contains("1048576 bytes"))
    }

    @Test(arguments: ["/slow?seconds=30", "/drip"])
    func slowServersRunIntoTheTimeout(_ path: String) async throws {
        let start = ContinuousClock.now
        let error = try await failure(HTTPRequest(.get, url(path), timeout: .milliseconds(200)))
        #expect(error.code == .timeout)
        #expect(error.isTransient)
        #expect(ContinuousClock.now - start < .seconds(25))
    }

    @Test func nobodyListens() async throws {
        #expect(try await failure(HTTPRequest(.get, "http://127.0.0.1:1/")).code == .connect)
    }

    @Test func unknownHost() async throws {
        let error = try await failure(HTTPRequest(.get, "http://no-such-host.invalid/"))
        #expect(error.code == .resolve)
    }

    @Test func messagesHoldNoSecrets() async throws {
        for place in ["127.0.0.1:1", "127.0.0.1:\(server.port)", "no-such-host.invalid"] {
            let url = "http://anna:s3cret@\(place)/truncated?token=t0ken#s3cret"
            let error = try await failure(HTTPRequest(.get, url))
            #expect(!"\(error)".contains("s3cret") && !"\(error)".contains("t0ken") && !"\(error)".contains("anna"))
            #expect("\(error)".contains("/truncated"))
        }
    }

    @Test func certificatesAreChecked() async throws {
        let request = HTTPRequest(.get, "https://127.0.0.1:\(server.securePort)/connection")
        #expect(try await failure(request).code == .tls)
        let trusting = HTTPClient(on: client.loop, configuration: .init(certificateAuthorities: server.certificate))
        #expect(try await trusting.send(request).status == 200)
        let lost = HTTPClient(on: client.loop, configuration: .init(certificateAuthorities: "/nowhere.pem"))
        let error = await #expect(throws: HTTPError.self) { try await lost.send(request) }
        #expect(error?.code == .tls)
    }

    // MARK: The caller's end

    @Test func cancellationEndsTheExchangeAtOnce() async throws {
        let start = ContinuousClock.now
        let task = Task { try await client.send(HTTPRequest(.get, url("/slow?seconds=30"))) }
        try await Task.sleep(for: .milliseconds(100))
        task.cancel()
        let error = await #expect(throws: HTTPError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(ContinuousClock.now - start < .seconds(25))
        // The client goes on working.
        #expect(try await client.send(HTTPRequest(.get, url("/echo"))).status == 200)
    }

    @Test func aCancelledTaskSendsNothing() async throws {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.send(HTTPRequest(.get, url("/echo")))
        }
        let error = await #expect(throws: HTTPError.self) { try await task.value }
        #expect(error?.code == .cancelled)
    }

    @Test func shutdownEndsWhatRuns() async throws {
        let task = Task { try await client.send(HTTPRequest(.get, url("/slow?seconds=30"))) }
        try await Task.sleep(for: .milliseconds(100))
        await client.shutdown()
        let error = await #expect(throws: HTTPError.self) { try await task.value }
        #expect(error?.code == .stopped)
        #expect(try await failure(HTTPRequest(.get, url("/echo"))).code == .stopped)
    }

    @Test func clientsComeAndGo() async throws {
        for _ in 0..<50 {
            let short = HTTPClient(on: client.loop)
            #expect(try await short.send(HTTPRequest(.get, url("/echo"))).status == 200)
        }
    }
}

/// The bytes as the server saw them: one character each.
private func latin1(_ text: String) -> String { String(String.UnicodeScalarView(text.utf8.map { Unicode.Scalar($0) })) }
