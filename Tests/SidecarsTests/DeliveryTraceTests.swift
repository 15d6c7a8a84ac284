import Envelopes
import EventLoops
import Testing
import Transports

@testable import Sidecars

/// What the machine does with `traceparent`.
struct DeliveryTraceTests {
    static let trace = "0af7651916cd43dd8448eb211c80319c"
    static let caller = "00-\(trace)-b7ad6b7169203331-01"
    static let headers = #"{"a":1.0,"traceparent":"\#(caller)","tracestate":"x=1","baggage":"k=v"}"#
    let now = MonotonicTime.now

    private func machine(
        headers: String = headers, isTraced: Bool = true, _ policy: DeliveryPolicy = DeliveryPolicy(actorName: "b")
    ) -> DeliveryMachine {
        var surroundings = DeliverySurroundings.real
        if isTraced { surroundings.span = { $0.map { $0.isSampled ? $0.child() : nil } ?? .random() } }
        let body = #"{"id":"e","route":{"actors":["b","c"],"current":0},"headers":\#(headers),"payload":1}"#
        return DeliveryMachine(policy, body: Array(body.utf8), surroundings: surroundings)
    }

    private func envelopes(_ action: DeliveryMachine.Action, of machine: DeliveryMachine) throws -> [Envelope] {
        guard case .send(let outgoing, _) = action else { return [] }
        return try outgoing.compactMap { one in
            guard case .envelope(let message, let context) = one else { return nil }
            let sent = try Envelope(parsing: message.body)
            let expected = machine.trace == nil ? nil : sent.headers.traceparent
            #expect(context == expected, "the span is the one in the message")
            return sent
        }
    }

    private func reply(_ machine: inout DeliveryMachine, _ reply: String) throws -> [Envelope] {
        guard case .call = machine.begin(now: now) else { throw Unexpected() }
        return try envelopes(machine.called(.success(Array(reply.utf8)), now: now), of: machine)
    }

    struct Unexpected: Error {}

    @Test func eachMessageGetsASpanOfItsOwnAndTheOtherHeadersKeepTheirBytes() throws {
        var machine = machine()
        let sent = try reply(&machine, #"[{"payload":1},{"payload":2},{"payload":3}]"#)
        let contexts = sent.compactMap(\.headers.traceparent)
        #expect(Set(contexts.map(\.traceID)) == [Self.trace])
        let spans = Set(contexts.map(\.spanID) + [machine.trace?.spanID ?? "", "b7ad6b7169203331"])
        #expect(sent.count == 2 && spans.count == 4)
        let span = try #require(contexts.first)
        #expect(
            sent[0].headers.json?.description.hasPrefix(
                #"{"a":1.0,"traceparent":"\#(span)","tracestate":"x=1","baggage":"k=v","troupe-"#) == true)
    }

    @Test func aDeliveryKnowsTheMessageItCameWith() throws {
        var machine = machine()
        _ = try reply(&machine, #"[{"payload":1},{"payload":2}]"#)
        let place = try #require(machine.place)
        #expect(place.message == TraceParent(Self.caller) && place.span == machine.trace && place.envelopeID == "e")
        #expect(self.machine(isTraced: false).place == nil)
    }

    @Test func withoutExportEverythingTravelsOnAsItIs() throws {
        var machine = machine(isTraced: false)
        let sent = try #require(try reply(&machine, #"[{"payload":1}]"#).first)
        #expect(sent.headers["traceparent"]?.string == Self.caller && machine.trace == nil)
        #expect(machine.request(under: nil) == machine.body)
    }

    @Test func whatIsNotSampledTravelsOnAsItIs() throws {
        let unsampled = "00-\(Self.trace)-b7ad6b7169203331-00"
        var machine = machine(headers: #"{"traceparent":"\#(unsampled)"}"#)
        let sent = try #require(try reply(&machine, #"[{"payload":1}]"#).first)
        #expect(sent.headers["traceparent"]?.string == unsampled && machine.trace == nil)
    }

    @Test(arguments: ["{}", #"{"traceparent":"garbage"}"#, #"{"traceparent":7}"#])
    func anEnvelopeWithoutATraceBeginsOne(headers: String) throws {
        var machine = machine(headers: headers)
        let sent = try #require(try reply(&machine, #"[{"payload":1}]"#).first)
        #expect(sent.headers.traceparent?.traceID == machine.trace?.traceID && machine.trace != nil)
    }

    /// JSON that is no envelope has headers all the same.
    @Test func whatIsRefusedStaysInItsTrace() throws {
        var surroundings = DeliverySurroundings.real
        surroundings.span = { $0?.child() }
        var machine = DeliveryMachine(
            DeliveryPolicy(actorName: "b"), body: Array(#"{"headers":\#(Self.headers),"payload":1}"#.utf8),
            surroundings: surroundings)
        let refused = try #require(try envelopes(machine.begin(now: now), of: machine).first)
        #expect(refused.headers.traceparent?.traceID == Self.trace)
        #expect(machine.traceParent == TraceParent(Self.caller) && machine.trace?.traceID == Self.trace)
    }

    @Test func aHandlerSeesItsCallAndCannotLeaveTheTrace() throws {
        var machine = machine()
        let mine = #"{"traceparent":"00-11111111111111111111111111111111-2222222222222222-01","own":1}"#
        guard case .call = machine.begin(now: now) else { throw Unexpected() }
        let call = try #require(machine.trace).child()
        let seen = try Envelope(parsing: machine.request(under: call))
        #expect(seen.headers.traceparent == call && seen.headers["a"]?.description == "1.0")
        #expect(seen.payload.description == "1" && seen.route == machine.envelope?.route)
        let sent = try envelopes(
            machine.called(.success(Array(#"[{"payload":1,"headers":\#(mine)}]"#.utf8)), now: now), of: machine)
        #expect(sent[0].headers.traceparent?.traceID == Self.trace)
        #expect(sent[0].headers["baggage"]?.string == "k=v" && sent[0].headers["own"]?.integer == 1)
    }

    @Test func whatAnEndActorKeepsIsAsItCame() throws {
        var machine = machine(DeliveryPolicy(actorName: "happy-end", isEndActor: true))
        guard case .call = machine.begin(now: now) else { throw Unexpected() }
        #expect(machine.request(under: machine.trace?.child()) == machine.body)
    }

    @Test func errorsAndRetriesStayInTheTraceAndSayWhy() throws {
        let error = #"[{"error":"processing_error","details":{"type":"ValueError","message":"secret"}}]"#
        var failing = machine()
        let failed = try #require(try reply(&failing, error).first)
        #expect(failed.headers.traceparent?.traceID == Self.trace && failing.callError == "ValueError")
        var policy = DeliveryPolicy(actorName: "b")
        policy.retries.attempts = 2
        var retrying = machine(policy)
        let retried = try #require(try reply(&retrying, error).first)
        #expect(retried.headers.traceparent?.traceID == Self.trace && retrying.outcome == .retried)
        // The next attempt hangs below the message that brings it.
        var next = machine(headers: retried.headers.json?.description ?? "", policy)
        let ended = try #require(try reply(&next, #"[{"payload":1}]"#).first)
        #expect(next.attempt == 2 && next.callError == nil && ended.headers.traceparent?.traceID == Self.trace)
    }

    /// At the worst moment: the message was returned, another one takes its place.
    @Test func anErrorEnvelopeInPlaceOfAnUnroutableOneHasASpanOfItsOwn() throws {
        var machine = machine()
        let first = try #require(try reply(&machine, #"[{"payload":1}]"#).first)
        let unroutable = Result<Void, TransportError>.failure(TransportError(.unroutable, "no queue"))
        var action = machine.sent([.success(()), unroutable], isLive: true)
        while let again = try envelopes(action, of: machine).first, again == first {
            action = machine.sent([unroutable], isLive: true)
        }
        let last = try #require(try envelopes(action, of: machine).first)
        #expect(last.payload["error"]?.string == "unroutable")
        #expect(last.headers.traceparent?.traceID == Self.trace)
        #expect(last.headers.traceparent != first.headers.traceparent)
    }
}
