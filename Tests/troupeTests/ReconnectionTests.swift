import EventLoops
import HTTPClient
import Testing

@testable import troupe

@Suite("Asking again")
struct ReconnectionTests {
    private let away = GatewayError(away: HTTPError(.connect, "refused"), url: "http://x")
    private let busy = GatewayError(
        HTTPResponse(
            status: 503, headers: ["Retry-After": "7"], body: Array(#"{"code":"overloaded","detail":"d"}"#.utf8)))
    private let refused = GatewayError(HTTPResponse(status: 400, body: Array(#"{"detail":"no"}"#.utf8)))
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    @Test("who never answered is given up at once")
    func never() {
        var reconnection = Reconnection()
        #expect(reconnection.failed(away, now: start) == .giveUp)
    }

    @Test("one that was there is waited for, longer each time, but not for ever")
    func patience() throws {
        var reconnection = Reconnection()
        reconnection.connected()
        var waited = Duration.zero
        var longest = Duration.zero
        while case .wait(let pause) = reconnection.failed(away, now: start.advanced(by: waited)) {
            #expect(pause > .zero && pause <= .seconds(5))
            longest = max(longest, pause)
            waited += pause
            try #require(waited < .seconds(1000))
        }
        #expect(waited >= Reconnection.patience && longest > .seconds(2))
    }

    @Test("an answer makes patience new")
    func again() {
        var reconnection = Reconnection()
        reconnection.connected()
        _ = reconnection.failed(away, now: start)
        reconnection.connected()
        let late = start.advanced(by: .seconds(10_000))
        #expect(reconnection.failed(away, now: late) != .giveUp)
        #expect(reconnection.failed(away, now: late.advanced(by: .seconds(299))) != .giveUp)
        #expect(reconnection.failed(away, now: late.advanced(by: .seconds(301))) == .giveUp)
    }

    @Test("a busy gateway says itself when to come, and may be busy for long")
    func busyGateway() {
        var reconnection = Reconnection()
        for hour in 0..<100 {
            guard case .wait(let pause) = reconnection.failed(busy, now: start.advanced(by: .seconds(hour * 3600)))
            else {
                Issue.record("given up")
                return
            }
            #expect(pause == .seconds(7))
        }
    }

    @Test("what is refused is not asked again")
    func refusal() {
        var reconnection = Reconnection()
        reconnection.connected()
        #expect(reconnection.failed(refused, now: start) == .giveUp)
        #expect(refused.exit == .badInput && busy.exit == .tryAgain && away.exit == .noGateway)
        #expect(busy.code == "overloaded")
    }

    @Test(
        "each status has its exit code",
        arguments: [
            (401, CommandExit.notAllowed), (403, .notAllowed), (404, .notFound), (409, .badInput), (413, .badInput),
            (429, .tryAgain),
            (500, .gatewayFault), (503, .tryAgain), (504, .tryAgain), (302, .gatewayFault),
        ])
    func statuses(_ status: Int, _ exit: CommandExit) {
        #expect(GatewayError(HTTPResponse(status: status)).exit == exit)
    }
}
