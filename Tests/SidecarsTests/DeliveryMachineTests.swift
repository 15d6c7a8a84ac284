import Envelopes
import EventLoops
import Testing
import Transports

@testable import Sidecars

/// Walks the machine through single deliveries and looks at what it wants done.
struct DeliveryMachineTests {
    let policy = DeliveryPolicy(actorName: "b")
    let now = MonotonicTime(nanoseconds: 1_000_000_000)
    let surroundings = DeliverySurroundings(
        makeID: { "made-up" }, timestamp: { $0 == .zero ? "now" : "in \($0.inWords)" },
        // 2026-11-21T09:30:00Z
        wallClock: { 1_795_253_400_000_000 }, random: { 0.5 })

    func machine(_ body: String, _ policy: DeliveryPolicy? = nil, uncounted: Int? = nil) -> DeliveryMachine {
        DeliveryMachine(
            policy ?? self.policy, body: Array(body.utf8), uncountedDeliveries: uncounted, surroundings: surroundings)
    }

    static let body =
        #"{"id":"e","parent_id":"p","route":{"actors":["a","b","c"],"current":1,"metadata":{"k":1.0}},"headers":{"h":1e400},"payload":{"n":12345678901234567890},"deadline":"d"}"#

    /// Gives the machine a reply and returns what it sends then.
    func sent(_ machine: inout DeliveryMachine, reply: String) throws -> [DeliveryMachine.Outgoing] {
        guard case .call = machine.begin(now: now) else { throw Unexpected() }
        guard case .send(let outgoing, .zero) = machine.called(.success(Array(reply.utf8)), now: now) else {
            throw Unexpected()
        }
        return outgoing
    }

    struct Unexpected: Error {}

    func messages(_ outgoing: [DeliveryMachine.Outgoing]) -> [Message] {
        outgoing.compactMap(\.message)
    }

    func reports(_ outgoing: [DeliveryMachine.Outgoing]) -> [StatusReport] {
        outgoing.compactMap { if case .report(let report) = $0 { report } else { nil } }
    }

    func envelope(_ message: Message) throws -> Envelope { try Envelope(parsing: message.body) }

    // MARK: The good ways

    @Test func oneResultGoesToTheNextActorWithEverythingThatTravels() throws {
        var machine = machine(Self.body)
        let outgoing = try sent(
            &machine,
            reply: #"[{"payload":{"r":1.10},"route":{"actors":["a","b","c"],"current":2,"metadata":{"k":1.0}}}]"#)
        let message = try #require(messages(outgoing).first)
        #expect(message.destination == .actor("c"))
        #expect(
            String(decoding: message.body, as: UTF8.self)
                == #"{"id":"e","parent_id":"p","route":{"actors":["a","b","c"],"current":2,"metadata":{"k":1.0}},"headers":{"h":1e400,"troupe-submitted-at":"now"},"payload":{"r":1.10},"deadline":"d"}"#
        )
        let report = try #require(reports(outgoing).first)
        #expect(report.status == "completed" && report.currentActorIndex == 2)
        guard case .settle(.acknowledge) = machine.sent([.success(()), .success(())], isLive: true) else {
            throw Unexpected()
        }
        #expect(machine.outcome == .success)
    }

    @Test func whereNobodyHearsOfItNothingIsReported() throws {
        var policy = policy
        policy.reports = false
        policy.retries.attempts = 2
        let route = #""route":{"actors":["a","b","c"],"current":2}"#
        let replies = [
            #"[{"payload":1,\#(route)}]"#, #"[{"payload":1,\#(route)},{"payload":2,\#(route)}]"#, "[]",
            #"[{"error":"processing_error","details":{"type":"ValueError"}}]"#,
        ]
        for reply in replies {
            var machine = machine(Self.body, policy)
            guard case .call(let reports, _) = machine.begin(now: now) else { throw Unexpected() }
            #expect(reports.isEmpty)
            var action = machine.called(.success(Array(reply.utf8)), now: now)
            var sent = 0
            while case .send(let outgoing, _) = action {
                #expect(messages(outgoing).count == outgoing.count, "\(reply)")
                sent += outgoing.count
                action = machine.sent(outgoing.map { _ in .success(()) }, isLive: true)
            }
            guard case .settle(.acknowledge) = action else { throw Unexpected() }
            #expect(sent == (reply == replies[1] ? 2 : 1), "\(reply)")
        }

        policy = DeliveryPolicy(actorName: "happy-end", isEndActor: true, endActorAttempts: 1)
        policy.reports = false
        var end = machine(Self.body, policy)
        _ = end.begin(now: now)
        guard case .settle(.acknowledge) = end.called(.success(Array("[{}]".utf8)), now: now) else {
            throw Unexpected()
        }
        #expect(end.outcome == .endConsumed)
        let failure = #"[{"error":"processing_error","details":{}}]"#
        #expect(try reports(sent(&end, reply: failure)).isEmpty)
    }

    @Test func whatARedeliveryLeavesBehindTwiceIsFiledAsOne() throws {
        // Published at 09:30:00; delivered, and again an hour later, to a handler that forgets all headers.
        let reply = #"[{"payload":7,"route":{"actors":["a","b","c"],"current":3},"headers":{}}]"#
        var surroundings = surroundings
        var bodies: Set<[UInt8]> = []
        for delivery in 0..<2 {
            surroundings.timestamp = { _ in "delivery \(delivery)" }
            var machine = DeliveryMachine(
                policy, body: Array(Self.body.utf8), publishedAt: 1_795_253_400, surroundings: surroundings)
            let message = try #require(messages(sent(&machine, reply: reply)).first)
            #expect(try envelope(message).headers.submittedAt == "2026-11-21T09:30:00.000000Z")
            bodies.insert(message.body)
        }
        #expect(bodies.count == 1)
        // Further on it stays, whatever is published when.
        var machine = DeliveryMachine(
            DeliveryPolicy(actorName: "c"),
            body: Array(try #require(bodies.first)).replacing(#""current":3"#.utf8, with: #""current":2"#.utf8),
            publishedAt: 1, surroundings: surroundings)
        let message = try #require(messages(sent(&machine, reply: reply)).first)
        #expect(try envelope(message).headers.submittedAt == "2026-11-21T09:30:00.000000Z")
    }

    @Test func progressIsReportedBeforeTheCall() throws {
        var machine = machine(Self.body)
        guard case .call(let reports, .zero) = machine.begin(now: now) else { throw Unexpected() }
        #expect(reports.map(\.status) == ["received", "processing"])
        #expect(reports[0].message == "Received message (0.16 KB)")
        #expect(reports[1].message == "Processing in b")
        #expect(reports.allSatisfy { $0.currentActorIndex == 1 && $0.actors == ["a", "b", "c"] })
    }

    @Test(arguments: ["3", "99", "-1"])
    func behindTheEndOfTheRouteIsHappyEnd(current: String) throws {
        var machine = machine(Self.body)
        let outgoing = try sent(
            &machine, reply: #"[{"payload":null,"route":{"actors":["a","b","c"],"current":\#(current)}}]"#)
        let message = try #require(messages(outgoing).first)
        #expect(message.destination == .actor("happy-end"))
        #expect(try envelope(message).route.current == Int(current))
    }

    @Test func anEmptyReplyEndsTheEnvelopeAsItCame() throws {
        var machine = machine(Self.body)
        let message = try #require(messages(sent(&machine, reply: "[]")).first)
        #expect(message.destination == .actor("happy-end"))
        var expected = try Envelope(parsing: Array(Self.body.utf8))
        expected.headers["troupe-submitted-at"] = RawJSON(string: "now")
        #expect(try envelope(message) == expected)
        #expect(machine.outcome == .emptyResponse)
    }

    @Test func fanOutGivesEachChildItsIDAndParent() throws {
        let route = #""route":{"actors":["a","b","c"],"current":2}"#
        let reply = #"[{"payload":0,\#(route)},{"payload":1,\#(route)},{"payload":2,\#(route)}]"#
        var machine = machine(Self.body)
        let outgoing = try allSent(&machine, reply: reply)
        let children = try messages(outgoing).map(envelope)
        #expect(children.map(\.id) == ["e", "e-1", "e-2"])
        #expect(children.map(\.parentID) == ["p", "e", "e"])
        #expect(children.map { $0.payload.description } == ["0", "1", "2"])
        #expect(children.allSatisfy { $0.headers["h"]?.description == "1e400" && $0.unknown.count == 1 })
        #expect(reports(outgoing).map(\.kind) == [.created, .created, .progress])

        // A redelivery gives the same.
        var again = self.machine(Self.body)
        #expect(try messages(allSent(&again, reply: reply)).map(\.body) == messages(outgoing).map(\.body))

        // The one that keeps the id fans out once more, further on: no id comes twice.
        var later = DeliveryMachine(
            DeliveryPolicy(actorName: "c"), body: messages(outgoing)[0].body, surroundings: surroundings)
        let more = try allSent(
            &later,
            reply:
                #"[{"payload":0,"route":{"actors":["a","b","c"],"current":3}},{"payload":1,"route":{"actors":["a","b","c"],"current":3}}]"#
        )
        #expect(try messages(more).map(envelope).map(\.id) == ["e", "e-1.1"])
    }

    /// All that is sent until the delivery is settled. Of a fan-out, the one that keeps the id goes last, and comes first here.
    func allSent(_ machine: inout DeliveryMachine, reply: String) throws -> [DeliveryMachine.Outgoing] {
        let first = try sent(&machine, reply: reply)
        let confirmed = [Result<Void, TransportError>](repeating: .success(()), count: first.count)
        guard case .send(let rest, .zero) = machine.sent(confirmed, isLive: true) else { return first }
        return rest + first
    }

    /// Else the delivery could be lost, end in another way the next time, and leave a child that nobody ever closes.
    @Test(arguments: [TransportError.Code.connectionLost, .unroutable, .refused])
    func aChildIsToldOfOnlyWhenItIsSafe(code: TransportError.Code) throws {
        let route = #""route":{"actors":["a","b","c"],"current":2}"#
        var machine = machine(Self.body)
        _ = try sent(&machine, reply: "[{\"payload\":0,\(route)},{\"payload\":1,\(route)},{\"payload\":2,\(route)}]")
        guard case .send(let again, _) = machine.sent([.success(()), failure(code)], isLive: true) else {
            throw Unexpected()
        }
        #expect(reports(again).isEmpty && messages(again).map(\.id) == ["e-2"])
        var lost = machine
        guard case .abandon = lost.sent([.success(())], isLive: false) else { throw Unexpected() }
        guard case .send(let rest, .zero) = machine.sent([.success(())], isLive: true) else { throw Unexpected() }
        #expect(reports(rest).map(\.envelopeID) == ["e-1", "e-2", "e"] && messages(rest).map(\.id) == ["e"])
        guard case .settle(.acknowledge) = machine.sent(rest.map { _ in .success(()) }, isLive: true) else {
            throw Unexpected()
        }
    }

    /// Where nobody can find a part of it, one step does: the reports are before what they are about, and the one that keeps
    /// the id is last.
    @Test func aFanOutIsOneStepWhereItIsSentAllOrNothing() throws {
        let route = #""route":{"actors":["a","b","c"],"current":2}"#
        var together = policy
        together.sendsTogether = true
        var machine = machine(Self.body, together)
        let all = try sent(
            &machine, reply: "[{\"payload\":0,\(route)},{\"payload\":1,\(route)},{\"payload\":2,\(route)}]")
        #expect(machine.acknowledgesWhenSent)
        #expect(reports(Array(all[..<3])).map(\.envelopeID) == ["e-1", "e-2", "e"])
        #expect(messages(Array(all[3...])).map(\.id) == ["e-1", "e-2", "e"])
        let refused = all.map { _ in failure(.refused) }
        guard case .send(let again, _) = machine.sent(refused, isLive: true), again.count == all.count,
            case .settle(.acknowledge) = machine.sent(all.map { _ in .success(()) }, isLive: true)
        else { throw Unexpected() }

        var inSteps = self.machine(Self.body)
        _ = try sent(&inSteps, reply: "[{\"payload\":0,\(route)},{\"payload\":1,\(route)}]")
        #expect(!inSteps.acknowledgesWhenSent)
    }

    /// What a machine at `actor` makes of an envelope when its handler answers with these results.
    private func next(
        at actor: String, _ envelope: Envelope, results: [(payload: String, headers: String?)]
    ) throws -> [Envelope] {
        var route = envelope.route
        route.current += 1
        var writer = JSONWriter()
        route.write(to: &writer)
        let reply = results.map { result in
            let headers = result.headers.map { #","headers":\#($0)"# } ?? ""
            let route = String(decoding: writer.bytes, as: UTF8.self)
            return #"{"payload":\#(result.payload),"route":\#(route)\#(headers)}"#
        }
        var machine = DeliveryMachine(
            DeliveryPolicy(actorName: actor), body: envelope.encoded(), surroundings: surroundings)
        return try messages(allSent(&machine, reply: "[\(reply.joined(separator: ","))]")).map(self.envelope)
    }

    private func places(_ envelope: Envelope) -> [FanOutPlace] {
        (envelope.headers[Headers.fanOut]?.elements ?? []).compactMap(FanOutPlace.init)
    }

    @Test func childrenOfAFanOutKnowTheirPlace() throws {
        let root = Envelope(id: "e", route: Route(actors: ["a", "b", "c", "d"]), payload: .null)
        let outer = try next(at: "a", root, results: [("0", nil), ("1", "{}"), ("2", #"{"mine":1}"#)])
        #expect(outer.map { places($0).count } == [1, 1, 1])
        #expect(places(outer[2]) == [FanOutPlace(parentID: "e", round: 0, index: 2, count: 3)])

        // Another fan-out within it; the handler has replaced its headers.
        let inner = try next(at: "b", outer[2], results: [("0", "{}"), ("1", "{}")])
        #expect(
            places(inner[1]) == [
                FanOutPlace(parentID: "e", round: 0, index: 2, count: 3),
                FanOutPlace(parentID: "e-2", round: 0, index: 1, count: 2),
            ])
        // The one that keeps the id has fanned out before: its second fan-out has another name than the first.
        let second = try next(at: "b", outer[0], results: [("0", nil), ("1", nil)])
        #expect(second.map { places($0).last?.round } == [1, 1])
        #expect(second.map { places($0).last?.parentID } == ["e", "e"])

        // A single result keeps its place, whatever its headers; who has joined a fan-out takes his off.
        let onward = try next(at: "c", inner[1], results: [("0", #"{"mine":1}"#)])
        #expect(places(onward[0]) == places(inner[1]))
        let joined = try next(
            at: "c", inner[0], results: [("0", #"{"troupe-fan-out":[\#(places(inner[0])[0].json)]}"#)])
        #expect(places(joined[0]) == places(outer[2]))
        let left = try next(at: "b", outer[0], results: [("0", #"{"troupe-fan-out":[ ],"mine":1}"#)])
        #expect(left[0].headers[Headers.fanOut] == nil && left[0].headers["mine"]?.integer == 1)
    }

    @Test func aSplitOfOneIsAFanOutWhereTheSubmitterSaysSo() throws {
        let headers = try Headers(RawJSON(Array(#"{"troupe-fan-in":{"splits":["b"]}}"#.utf8)))
        let root = Envelope(id: "e", route: Route(actors: ["a", "b", "c"]), headers: headers, payload: .null)
        let single = try next(at: "a", root, results: [("0", nil)])
        #expect(places(single[0]) == [])
        let fannedOut = try next(at: "b", single[0], results: [("0", nil)])
        #expect(fannedOut.map(\.id) == ["e"])
        #expect(places(fannedOut[0]) == [FanOutPlace(parentID: "e", round: 0, index: 0, count: 1)])
        // It counts: what fans out under this id later has another name.
        #expect(fannedOut[0].headers.fanOuts == 1)
    }

    @Test func theRouteAheadMayChange() throws {
        var machine = machine(Self.body)
        let outgoing = try sent(&machine, reply: #"[{"payload":1,"route":{"actors":["a","b","x","y"],"current":2}}]"#)
        #expect(messages(outgoing).first?.destination == .actor("x"))
    }

    @Test(arguments: [#"["a","c"]"#, #"["b","b","c"]"#, #"["a"]"#])
    func theRouteBehindMayNot(actors: String) throws {
        var machine = machine(Self.body)
        let message = try #require(
            messages(sent(&machine, reply: #"[{"payload":1,"route":{"actors":\#(actors),"current":1}}]"#)).first)
        #expect(message.destination == .actor("error-end"))
        let details = try #require(try envelope(message).payload["details"]?["message"]?.string)
        #expect(details.contains("Route modification error: already-processed actors cannot be erased"))
    }

    @Test func aHandlerMayChangeHeadersButNotLoseTheTrace() throws {
        let traced =
            #"{"id":"e","route":{"actors":["b"],"current":0},"headers":{"traceparent":"t","gone":1},"payload":1}"#
        var machine = machine(traced)
        let message = try #require(
            messages(
                sent(&machine, reply: #"[{"payload":1,"route":{"actors":["b"],"current":1},"headers":{"new":2}}]"#)
            ).first)
        let headers = try envelope(message).headers
        #expect(headers["new"]?.integer == 2 && headers["traceparent"]?.string == "t" && headers["gone"] == nil)
    }

    // MARK: Errors

    @Test func aHandlersErrorEndsTheEnvelopeWithTheWholeReason() throws {
        var machine = machine(Self.body)
        let reply =
            #"[{"error":"processing_error","details":{"message":"m","type":"ValueError","traceback":"Traceback..."}}]"#
        let message = try #require(messages(sent(&machine, reply: reply)).first)
        #expect(message.destination == .actor("error-end"))
        #expect(
            String(decoding: message.body, as: UTF8.self)
                == #"{"id":"e","parent_id":"p","route":{"actors":["a","b","c"],"current":1,"metadata":{"k":1.0}},"headers":{"h":1e400,"troupe-submitted-at":"now"},"payload":{"error":"processing_error","details":{"message":"m","type":"ValueError","traceback":"Traceback..."},"original_payload":{"n":12345678901234567890}},"deadline":"d"}"#
        )
        #expect(machine.outcome == .failed(.runtimeError) && machine.errorCode == "processing_error")
    }

    @Test func oneErrorAmongResultsFailsAllOfThem() throws {
        var machine = machine(Self.body)
        let outgoing = try sent(
            &machine,
            reply: #"[{"payload":0,"route":{"actors":["a","b","c"],"current":2}},{"error":"processing_error"}]"#)
        #expect(messages(outgoing).map(\.destination) == [.actor("error-end")])
        #expect(reports(outgoing).isEmpty)
    }

    @Test(arguments: [
        ("", "not JSON"), ("{}", "must be a list"), ("[1]", "element 0"), ("[{}]", "Missing required field 'payload'"),
        ("[{\"payload\":1,\"route\":7}]", "'route' must be an object"),
        ("[{\"payload\":1,\"route\":{}}]", "'route.actors'"),
        ("[{\"payload\":1,\"headers\":[]}]", "'headers' must be a dict"), ("[{\"payload\":1", "not JSON"),
    ])
    func aReplyThatIsNoneIsARuntimeError(reply: String, reason: String) throws {
        var machine = machine(Self.body)
        let message = try #require(messages(sent(&machine, reply: reply)).first)
        let payload = try envelope(message).payload
        #expect(message.destination == .actor("error-end") && payload["error"]?.string == "runtime_error")
        #expect(payload["details"]?["message"]?.string?.contains(reason) == true)
    }

    @Test func theWrongActorSendsItToErrorEnd() throws {
        var machine = machine(#"{"id":"e","route":{"actors":["a","b"],"current":0},"payload":1}"#)
        guard case .send(let outgoing, _) = machine.begin(now: now) else { throw Unexpected() }
        let payload = try envelope(try #require(messages(outgoing).first)).payload
        #expect(payload["error"]?.string == "route_mismatch")
        #expect(
            payload["details"]?["message"]?.string
                == "Route mismatch: message routed to wrong actor (expected: b, actual: a)")
        #expect(machine.outcome == .failed(.routeMismatch))
    }

    @Test(arguments: [
        (#"{"route":{"actors":["b"]},"payload":1}"#, "made-up", "Envelope missing required 'id' field"),
        (#"{"id":7,"route":{"actors":["b"]},"payload":1}"#, "made-up", "'id' must be a non-empty string"),
        (#"{"id":"e","payload":1}"#, "e", "'route'"),
        (#"{"id":"e","route":{"actors":[]},"payload":1}"#, "e", "cannot be empty"),
        (#"{"id":"e","route":{"actors":["b"]}}"#, "e", "'payload'"), ("[1,2]", "made-up", "must be a JSON object"),
        (#"{"id":"e","route":{"actors":["b"],"current":"0"},"payload":1}"#, "e", "'route.current' must be an integer"),
        (#"{"id":"e","id":"f","route":{"actors":["b"]},"payload":1}"#, "f", "stands twice"),
    ])
    func whatIsNoEnvelopeGoesToErrorEndWhole(body: String, id: String, reason: String) throws {
        var machine = machine(body)
        guard case .send(let outgoing, _) = machine.begin(now: now) else { throw Unexpected() }
        let message = try #require(messages(outgoing).first)
        let failed = try envelope(message)
        #expect(message.destination == .actor("error-end"))
        #expect(failed.id == id && failed.route.actors == ["b"])
        #expect(failed.payload["error"]?.string == "msg_parsing_error")
        #expect(failed.payload["details"]?["message"]?.string?.contains(reason) == true)
        #expect(failed.payload["original_payload"]?.description == body)
        #expect(machine.outcome == .failed(.validationError))
    }

    @Test(arguments: ["", "not json", "{\"id\":", "\u{7B}\"a\":01}", "nul"])
    func whatIsNotJSONGoesToTheDeadLettersUnchanged(body: String) throws {
        var machine = machine(body)
        guard case .send(let outgoing, _) = machine.begin(now: now), let message = messages(outgoing).first else {
            throw Unexpected()
        }
        guard case .deadLetters("b", let reason) = message.destination else { throw Unexpected() }
        #expect(message.body == Array(body.utf8))
        #expect(reason.contains("byte"))
        #expect(machine.outcome == .failed(.parseError))
    }

    @Test(
        arguments: [
            ([0xFF, 0xFE, 0x00], "expected a value"), (Array("\"".utf8) + [0xC3, 0x28, 0x22], "not UTF-8"),
            (Array(String(repeating: "[", count: 2000).utf8), "more than 512 levels of nesting"),
            (Array("{\"id\":\"\(String(repeating: "x", count: 5000))\"}".utf8), "at most 4096 are allowed"),
        ] as [([UInt8], String)])
    func hostileBytesGoToTheDeadLettersToo(body: [UInt8], expected: String) throws {
        var policy = policy
        policy.limits = JSONLimits(size: 4096)
        var machine = DeliveryMachine(policy, body: body, surroundings: surroundings)
        guard case .send(let outgoing, _) = machine.begin(now: now),
            case .deadLetters(_, let reason)? = messages(outgoing).first?.destination
        else { throw Unexpected() }
        #expect(reason.contains(expected))
        #expect(messages(outgoing).first?.body == body)
    }

    // MARK: The runtime fails

    @Test func aTimeoutIsAnErrorAndTheRuntimeMustGo() throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        guard case .send(let outgoing, _) = machine.called(.failure(.timeout(.seconds(3))), now: now) else {
            throw Unexpected()
        }
        let payload = try envelope(try #require(messages(outgoing).first)).payload
        #expect(payload["error"]?.string == "timeout")
        #expect(payload["details"]?["message"]?.string == "Runtime timeout exceeded after 3s")
        #expect(machine.runtimeHangs)
    }

    @Test func aCrashIsTriedAgainAndThenAnError() throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        for _ in 1..<policy.crashAttempts {
            guard case .call([], let delay) = machine.called(.failure(.closed("gone")), now: now), delay > .zero else {
                throw Unexpected()
            }
        }
        guard case .send(let outgoing, _) = machine.called(.failure(.closed("gone")), now: now) else {
            throw Unexpected()
        }
        let payload = try envelope(try #require(messages(outgoing).first)).payload
        #expect(payload["error"]?.string == "runtime_error")
        #expect(payload["details"]?["message"]?.string == "gone, 3 times in a row")
    }

    @Test func aHandlerThatIsReplacedCostsNoAttempt() throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        for _ in 0..<100 {
            guard case .call([], .zero) = machine.called(.failure(.replaced), now: now) else { throw Unexpected() }
        }
        // Crashes beside it count as ever.
        for _ in 1..<policy.crashAttempts {
            guard case .call = machine.called(.failure(.closed("gone")), now: now) else { throw Unexpected() }
        }
        guard case .call([], .zero) = machine.called(.failure(.replaced), now: now),
            case .send = machine.called(.failure(.closed("gone")), now: now)
        else { throw Unexpected() }
    }

    @Test(arguments: [Runtime.Failure.draining, .paused])
    func whatHasNotBegunWhenWeDrainOrPauseGoesBack(reason: Runtime.Failure) throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        guard case .settle(.requeue) = machine.called(.failure(reason), now: now) else { throw Unexpected() }
        #expect(machine.outcome == nil)
    }

    // MARK: Retries and delays

    static let failing = #"[{"error":"processing_error","details":{"message":"boom","type":"ValueError"}}]"#

    @Test func aFailedEnvelopeComesAgainLaterAndFinallyFailsWithEveryAttempt() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 3, initialDelay: .seconds(2), factor: 3)
        var body = Self.body
        for (attempt, delay) in [(1, Duration.seconds(1)), (2, .seconds(3))] {
            var machine = machine(body, policy)
            let outgoing = try sent(&machine, reply: Self.failing)
            let message = try #require(messages(outgoing).first)
            // Half of the full step: the jitter that these surroundings draw.
            #expect(message.destination == .actor("b") && message.delay == delay)
            let report = try #require(reports(outgoing).first)
            #expect(report.status == "retrying" && report.attempt == attempt)
            #expect(report.nextAttemptAt == "in \(delay.inWords)")
            #expect(
                report.message == "Attempt \(attempt) of 3 failed: ValueError: boom; next in \(delay.inWords)")
            #expect(machine.outcome == .retried)
            body = String(decoding: message.body, as: UTF8.self)
        }
        var machine = machine(body, policy)
        let message = try #require(messages(sent(&machine, reply: Self.failing)).first)
        #expect(message.destination == .actor("error-end") && message.delay == .zero)
        let failed = try envelope(message)
        #expect(failed.payload["original_payload"]?["n"]?.description == "12345678901234567890")
        let attempts = try #require(failed.headers["troupe-attempts"]).elements
        #expect(attempts.map { $0["attempt"]?.integer } == [1, 2, 3])
        #expect(attempts.allSatisfy { $0["error"]?.string == "ValueError" && $0["at"]?.string == "now" })
    }

    @Test func aSuccessForgetsTheAttempts() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 2)
        var first = machine(Self.body, policy)
        let again = try #require(messages(sent(&first, reply: Self.failing)).first)
        var second = DeliveryMachine(policy, body: again.body, surroundings: surroundings)
        let next = try #require(
            messages(sent(&second, reply: #"[{"payload":1,"route":{"actors":["a","b","c"],"current":2}}]"#)).first)
        #expect(next.destination == .actor("c"))
        #expect(try envelope(next).headers["troupe-attempts"] == nil)
        #expect(try envelope(next).headers["h"]?.description == "1e400")
    }

    @Test func theRouteMayHaveItsOwnPolicy() throws {
        let body =
            #"{"id":"e","route":{"actors":["b"]},"headers":{"troupe-retry":{"attempts":2,"#
            + #""initial_delay_ms":500,"jitter":false,"attempts_of_others":1}},"payload":1}"#
        var machine = machine(body)
        let message = try #require(messages(sent(&machine, reply: Self.failing)).first)
        #expect(message.destination == .actor("b") && message.delay == .milliseconds(500))
    }

    @Test func crashesAndTimeoutsAreTriedAgainTooButNotWhatNeverFits() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 2)
        var hung = machine(Self.body, policy)
        _ = hung.begin(now: now)
        guard case .send(let outgoing, _) = hung.called(.failure(.timeout(.seconds(1))), now: now) else {
            throw Unexpected()
        }
        #expect(messages(outgoing).first?.destination == .actor("b") && hung.runtimeHangs)

        var strange = machine(#"{"id":"e","route":{"actors":["x"]},"payload":1}"#, policy)
        guard case .send(let refused, _) = strange.begin(now: now) else { throw Unexpected() }
        #expect(messages(refused).first?.destination == .actor("error-end"))
    }

    @Test func aHandlerMayPauseItsRouteAndLoop() throws {
        var machine = machine(Self.body)
        let reply = #"[{"payload":1,"route":{"actors":["a","b","c"],"current":1},"headers":{"troupe-delay-ms":1500}}]"#
        let message = try #require(messages(sent(&machine, reply: reply)).first)
        #expect(message.destination == .actor("b") && message.delay == .milliseconds(1500))
        #expect(try envelope(message).headers["troupe-delay-ms"] == nil)
    }

    @Test func noReportOfALoopARetryOrAReplayIsTakenForAnEarlierOne() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 9)
        var ids: [String] = []
        func reportIDs(_ body: String, reply: String) throws -> String {
            var machine = machine(body, policy)
            guard case .call(let first, _) = machine.begin(now: now),
                case .send(let outgoing, _) = machine.called(.success(Array(reply.utf8)), now: now)
            else { throw Unexpected() }
            ids += (first + reports(outgoing)).map(\.eventID)
            return String(decoding: try #require(messages(outgoing).first).body, as: UTF8.self)
        }
        let again = #"[{"payload":1,"route":{"actors":["a","b","c"],"current":1},"headers":{}}]"#
        var body = Self.body
        for _ in 0..<3 {
            body = try reportIDs(body, reply: Self.failing)
            body = try reportIDs(body, reply: again)
        }
        body = body.replacing(#""headers":{"#, with: #""headers":{"troupe-replays":1,"#)
        body = try reportIDs(body, reply: again)
        #expect(Set(ids).count == ids.count && ids.count == 21, "\(ids)")
        // A redelivery is the same step.
        _ = try reportIDs(Self.body, reply: Self.failing)
        #expect(Set(ids).count == 21)
    }

    // MARK: Cancelled, late, and poisonous ones

    func failedEnvelope(_ action: DeliveryMachine.Action) throws -> Envelope {
        guard case .send(let outgoing, .zero) = action, let message = messages(outgoing).first, outgoing.count == 1
        else { throw Unexpected() }
        #expect(message.destination == .actor("error-end"))
        return try envelope(message)
    }

    @Test func aCancelledEnvelopeIsNotHandedToTheHandler() throws {
        var machine = machine(Self.body)
        let failed = try failedEnvelope(machine.begin(now: now) { $0.id == "e" && $0.parentID == "p" })
        #expect(failed.payload["error"]?.string == "cancelled")
        #expect(failed.payload["original_payload"]?["n"]?.description == "12345678901234567890")
        #expect(machine.outcome == .failed(.cancelled) && !machine.runtimeHangs)
    }

    @Test func oneThatIsCancelledAtTheHandlerIsNotTriedAgain() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 5)
        var machine = machine(Self.body, policy)
        _ = machine.begin(now: now)
        let failed = try failedEnvelope(machine.called(.failure(.cancelled), now: now))
        #expect(failed.payload["error"]?.string == "cancelled" && !machine.runtimeHangs)
    }

    @Test func whoeverFindsTheRuntimeOccupiedByAnotherGoesBackUnharmed() throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        guard case .settle(.requeue) = machine.called(.failure(.occupied), now: now) else { throw Unexpected() }
        #expect(machine.runtimeHangs && machine.outcome == nil)
    }

    @Test func errorEndReportsACancelledEnvelopeAsThat() throws {
        let body =
            #"{"id":"e","route":{"actors":["a"]},"payload":{"error":"cancelled","details":{"message":"Envelope cancelled"}}}"#
        var machine = machine(body, DeliveryPolicy(actorName: "error-end", isEndActor: true))
        // It closes what is cancelled as it closes everything.
        guard case .call = machine.begin(now: now, isCancelled: { _ in true }) else { throw Unexpected() }
        guard case .send(let outgoing, _) = machine.called(.success(Array("[{}]".utf8)), now: now) else {
            throw Unexpected()
        }
        #expect(reports(outgoing).map(\.status) == ["cancelled"])
    }

    func body(deadline: String) -> String {
        Self.body.replacing(#""deadline":"d""#, with: #""deadline":"\#(deadline)""#)
    }

    @Test(arguments: ["2026-11-21T09:29:59.999999Z", "2026-11-21T10:30:00+01:00", "2020-01-01T00:00:00-0800"])
    func anEnvelopePastItsDeadlineIsNotHandedToTheHandler(deadline: String) throws {
        var machine = machine(body(deadline: deadline))
        let failed = try failedEnvelope(machine.begin(now: now))
        #expect(failed.payload["error"]?.string == "deadline_exceeded")
        #expect(failed.payload["details"]?["message"]?.string?.contains(deadline) == true)
        #expect(machine.outcome == .failed(.deadlineExceeded))

        var end = self.machine(body(deadline: deadline), DeliveryPolicy(actorName: "happy-end", isEndActor: true))
        guard case .call = end.begin(now: now) else { throw Unexpected() }
        #expect(end.timeLeft == nil)
    }

    @Test(arguments: ["2026-11-21T09:30:00.250Z", "tomorrow", "2026-02-30T00:00:00Z", "2026-11-21T09:30:00"])
    func whatIsNoMomentOrStillToComeStopsNothing(deadline: String) throws {
        var machine = machine(body(deadline: deadline))
        guard case .call = machine.begin(now: now) else { throw Unexpected() }
        #expect(machine.timeLeft == (deadline.hasSuffix("250Z") ? .milliseconds(250) : nil))
    }

    @Test func aHandlerThatIsAtWorkAtTheDeadlineIsNotCalledAgain() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 5)
        let clock = TestClock()
        var surroundings = surroundings
        surroundings.wallClock = { clock.microseconds }
        var machine = DeliveryMachine(
            policy, body: Array(body(deadline: "2026-11-21T09:30:01Z").utf8), surroundings: surroundings)
        _ = machine.begin(now: now)
        #expect(machine.timeLeft == .seconds(1))
        clock.microseconds += 1_000_000
        let failed = try failedEnvelope(machine.called(.failure(.timeout(.seconds(1))), now: now))
        #expect(failed.payload["error"]?.string == "deadline_exceeded" && !machine.runtimeHangs)
    }

    @Test func anAttemptThatWouldBeginAfterTheDeadlineIsNotWaitedFor() throws {
        var policy = policy
        policy.retries = RetryPolicy(attempts: 5, initialDelay: .seconds(20))
        var machine = machine(body(deadline: "2026-11-21T09:30:09Z"), policy)
        _ = machine.begin(now: now)
        let failed = try failedEnvelope(machine.called(.success(Array(Self.failing.utf8)), now: now))
        #expect(failed.payload["error"]?.string == "deadline_exceeded")
        #expect(failed.payload["details"]?["message"]?.string?.contains("ValueError: boom") == true)
        #expect(failed.headers["troupe-attempts"]?.elements.count == 1)
    }

    @Test func aPauseEndsAtTheDeadline() throws {
        var machine = machine(body(deadline: "2026-11-21T09:30:09Z"))
        let reply =
            #"[{"payload":1,"route":{"actors":["a","b","c"],"current":1},"headers":{"troupe-delay-ms":60000}}]"#
        #expect(try messages(sent(&machine, reply: reply)).first?.delay == .seconds(9))
    }

    @Test(arguments: ["{", #"{"id":"e","route":{"actors":["b"]},"payload":1}"#])
    func whereTheBrokerDoesNotCountWeDo(body: String) throws {
        var policy = policy
        policy.deliveryLimit = 3
        for deliveries in 1...3 {
            var machine = machine(body, policy, uncounted: deliveries)
            guard case .send(let outgoing, .zero) = machine.begin(now: now), outgoing.count == 1,
                let message = messages(outgoing).first
            else { throw Unexpected() }
            #expect(message.destination == .actor("b") && message.priorDeliveries == deliveries)
            #expect(message.body == Array(body.utf8) && machine.outcome == .counted)
            guard case .settle(.acknowledge) = machine.sent([.success(())], isLive: true) else { throw Unexpected() }
        }
        var machine = machine(body, policy, uncounted: 4)
        guard case .send(let outgoing, .zero) = machine.begin(now: now), let message = messages(outgoing).first,
            case .deadLetters("b", let reason) = message.destination
        else { throw Unexpected() }
        #expect(reason == "delivery_limit: delivered 4 times, and never settled")
        #expect(message.body == Array(body.utf8) && machine.outcome == .failed(.deliveryLimit))
    }

    @Test func aDeliveryThatTheBrokerHasTakenBackIsLeftToIt() throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        guard case .abandon = machine.called(.failure(.withdrawn), now: now) else { throw Unexpected() }
        #expect(machine.outcome == nil)
    }

    // MARK: The broker fails

    func failure(_ code: TransportError.Code) -> Result<Void, TransportError> { .failure(TransportError(code, "why")) }

    @Test func aQueueThatComesBackGetsItsMessage() throws {
        var machine = machine(Self.body)
        let outgoing = try sent(&machine, reply: #"[{"payload":7,"route":{"actors":["a","b","c"],"current":2}}]"#)
        guard
            case .send(let again, let delay) = machine.sent([.success(()), failure(.unroutable)], isLive: true)
        else { throw Unexpected() }
        #expect(delay > .zero && messages(again).map(\.body) == messages(outgoing).map(\.body))
        guard case .settle(.acknowledge) = machine.sent([.success(())], isLive: true) else { throw Unexpected() }
        #expect(machine.outcome == .success)
    }

    @Test func aBodyIsLetGoWhenWhatComesOfItIsKnownAndNotBefore() throws {
        var machine = machine(Self.body)
        _ = machine.begin(now: now)
        for failure in [Runtime.Failure.closed("gone"), .replaced, .invalid("no frame")] {
            _ = machine.called(.failure(failure), now: now)
            #expect(machine.body == Array(Self.body.utf8), "it may be called again, or be a dead letter")
        }
        _ = machine.called(.success(Array(#"[{"payload":7}]"#.utf8)), now: now)
        #expect(machine.body.isEmpty && machine.size == Self.body.utf8.count)
        #expect(machine.envelope?.id == "e" && machine.envelope?.payload == .emptyObject)
    }

    @Test func anUnroutableActorBecomesAnErrorWithItsName() throws {
        var machine = machine(Self.body)
        _ = try sent(&machine, reply: #"[{"payload":7,"route":{"actors":["a","b","c"],"current":2}}]"#)
        _ = machine.sent([.success(()), failure(.unroutable)], isLive: true)
        for _ in 2..<policy.unroutableAttempts {
            guard case .send(let again, _) = machine.sent([failure(.unroutable)], isLive: true) else {
                throw Unexpected()
            }
            #expect(messages(again).first?.destination == .actor("c"))
        }
        guard case .send(let outgoing, .zero) = machine.sent([failure(.unroutable)], isLive: true) else {
            throw Unexpected()
        }
        let message = try #require(messages(outgoing).first)
        #expect(outgoing.count == 1 && message.destination == .actor("error-end"))
        let failed = try envelope(message)
        #expect(failed.payload["error"]?.string == "unroutable" && failed.payload["original_payload"]?.integer == 7)
        #expect(failed.payload["details"]?["message"]?.string?.contains("'c'") == true)
        #expect(machine.outcome == .failed(.routingError))
    }

    @Test func oneUnroutableChildFailsAloneAndTheOthersAreNotSentAgain() throws {
        var machine = machine(Self.body, DeliveryPolicy(actorName: "b", unroutableAttempts: 1))
        let reply =
            #"[{"payload":0,"route":{"actors":["a","b","c"],"current":2}},{"payload":1,"route":{"actors":["a","b","x"],"current":2}}]"#
        let outgoing = try sent(&machine, reply: reply)
        #expect(outgoing.count == 1)
        guard case .send(let rest, _) = machine.sent([failure(.unroutable)], isLive: true) else {
            throw Unexpected()
        }
        let failed = try envelope(try #require(messages(rest).first))
        #expect(rest.count == 1 && failed.id == "e-1" && failed.parentID == "e")
        guard case .send(let last, _) = machine.sent([.success(())], isLive: true) else { throw Unexpected() }
        #expect(messages(last).map(\.id) == ["e"])
    }

    @Test func whenEvenErrorEndCannotTakeItTheDeliveryIsHeld() throws {
        var machine = machine(Self.body)
        _ = try sent(&machine, reply: #"[{"error":"processing_error"}]"#)
        for _ in 0..<100 {
            guard case .send(let outgoing, let delay) = machine.sent([failure(.unroutable)], isLive: true) else {
                throw Unexpected()
            }
            #expect(outgoing.count == 1 && delay > .zero && delay <= .seconds(10))
        }
        guard case .settle(.acknowledge) = machine.sent([.success(())], isLive: true) else { throw Unexpected() }
    }

    @Test(arguments: [TransportError.Code.refused, .connectionLost, .timeout])
    func whatIsNotConfirmedIsSentAgainWhileTheDeliveryIsOurs(code: TransportError.Code) throws {
        var machine = machine(Self.body)
        let outgoing = try sent(&machine, reply: #"[{"payload":7,"route":{"actors":["a","b","c"],"current":2}}]"#)
        guard case .send(let again, let delay) = machine.sent([.success(()), failure(code)], isLive: true) else {
            throw Unexpected()
        }
        #expect(delay > .zero && messages(again).map(\.body) == messages(outgoing).map(\.body))
        guard case .abandon = machine.sent([failure(code)], isLive: false) else { throw Unexpected() }
    }

    @Test func aStoppedTransportLeavesTheDeliveryToTheBroker() throws {
        var machine = machine(Self.body)
        _ = try sent(&machine, reply: "[]")
        guard case .abandon = machine.sent([failure(.stopped)], isLive: true) else { throw Unexpected() }
    }

    // MARK: End actors

    @Test func happyEndReportsSuccessWithTheResult() throws {
        var machine = machine(Self.body, DeliveryPolicy(actorName: "happy-end", isEndActor: true))
        guard case .call(let first, _) = machine.begin(now: now) else { throw Unexpected() }
        #expect(first.isEmpty)
        guard case .send(let outgoing, _) = machine.called(.success(Array("[{}]".utf8)), now: now) else {
            throw Unexpected()
        }
        let report = try #require(reports(outgoing).first)
        #expect(messages(outgoing).isEmpty)
        #expect(report.kind == .final && report.status == "succeeded")
        #expect(report.result?.description == #"{"n":12345678901234567890}"#)
        #expect(machine.outcome == .endConsumed)
    }

    @Test func errorEndReportsTheFailureAndWhoFailed() throws {
        let failed =
            #"{"id":"e","route":{"actors":["a","b"],"current":1},"payload":{"error":"processing_error","details":{"message":"not text","type":"ValueError"},"original_payload":1}}"#
        var machine = machine(failed, DeliveryPolicy(actorName: "error-end", isEndActor: true))
        _ = machine.begin(now: now)
        guard case .send(let outgoing, _) = machine.called(.success(Array("[{}]".utf8)), now: now) else {
            throw Unexpected()
        }
        let report = try #require(reports(outgoing).first)
        #expect(report.status == "failed" && report.currentActorName == "b" && report.error == "ValueError: not text")
    }

    @Test func anEndActorThatFailsIsTriedAgainThenDeadLettered() throws {
        let policy = DeliveryPolicy(actorName: "happy-end", isEndActor: true, endActorAttempts: 3)
        var machine = machine(Self.body, policy)
        _ = machine.begin(now: now)
        let error = Array(
            #"[{"error":"processing_error","details":{"message":"too long","type":"NameError"}}]"#.utf8)
        for _ in 1..<3 {
            guard case .call([], let delay) = machine.called(.success(error), now: now), delay > .zero else {
                throw Unexpected()
            }
        }
        guard case .send(let outgoing, _) = machine.called(.success(error), now: now) else { throw Unexpected() }
        let message = try #require(messages(outgoing).first)
        guard case .deadLetters("happy-end", let reason) = message.destination else { throw Unexpected() }
        #expect(reason.contains("NameError: too long") && message.body == Array(Self.body.utf8))
        let report = try #require(reports(outgoing).first)
        #expect(report.status == "failed" && report.error?.contains("too long") == true)
    }

    @Test func anEndActorWaitsForItsStorageForAsLongAsItTakes() throws {
        var machine = machine(Self.body, DeliveryPolicy(actorName: "happy-end", isEndActor: true))
        _ = machine.begin(now: now)
        let error = Array(
            #"[{"error":"processing_error","details":{"message":"no space","type":"StorageError"}}]"#.utf8)
        for _ in 0..<1000 {
            guard case .call([], let delay) = machine.called(.success(error), now: now) else { throw Unexpected() }
            #expect(delay > .zero && delay <= .seconds(10))
        }
        guard case .send(let outgoing, _) = machine.called(.success(Array("[{}]".utf8)), now: now) else {
            throw Unexpected()
        }
        #expect(reports(outgoing).map(\.status) == ["succeeded"])
    }

    @Test func aReportWithoutAQueueWaitsAndHarmsNoMessage() throws {
        var machine = machine(Self.body)
        _ = try sent(&machine, reply: #"[{"payload":7,"route":{"actors":["a","b","c"],"current":2}}]"#)
        var results = [failure(.unroutable), .success(())]
        for _ in 0..<20 {
            guard case .send(let again, _) = machine.sent(results, isLive: true) else { throw Unexpected() }
            #expect(reports(again).count == 1 && messages(again).isEmpty)
            results = [failure(.unroutable)]
        }
    }

    @Test func whatAnEndActorCannotReadIsNeverSentInACircle() throws {
        var machine = machine(#"{"id":"e"}"#, DeliveryPolicy(actorName: "error-end", isEndActor: true))
        guard case .send(let outgoing, _) = machine.begin(now: now),
            case .deadLetters? = messages(outgoing).first?.destination
        else {
            throw Unexpected()
        }
    }
}

private final class TestClock: @unchecked Sendable {
    var microseconds: Int64 = 1_795_253_400_000_000
}
