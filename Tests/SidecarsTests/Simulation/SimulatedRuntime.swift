import Envelopes

@testable import Sidecars

/// The handler's side of a call: which reply comes, and when.
struct SimulatedRuntime {
    static let timeout = Duration.seconds(5)

    let policy: DeliveryPolicy
    unowned let world: Simulation

    struct Answer {
        var delay: Duration
        var result: Result<[UInt8], Runtime.Failure>
    }

    /// - Parameter call: the number of the call for this one delivery, from 1.
    func answer(_ body: [UInt8], call: Int) -> Answer {
        let delay = world.strikes(.delayed) ? world.chance.milliseconds(100...4000) : world.chance.milliseconds(0...50)
        guard let envelope = try? Envelope(parsing: body) else {
            world.violation("a handler was called with what is no envelope")
            return Answer(delay: delay, result: .success([]))
        }
        guard !policy.isEndActor else { return Answer(delay: delay, result: keep(envelope, call: call)) }
        guard let handler = SimulatedHandler(rawValue: policy.actorName) else { preconditionFailure("no such handler") }

        let outcome = passingTrouble(envelope, call: call) ?? handler.outcome(of: envelope.payload.string ?? "")
        switch outcome {
        case .results(let payloads):
            let headers = handler == .garble ? #"{"mine":1}"# : envelope.headers.text
            let route = Route(actors: envelope.route.actors, current: envelope.route.current + 1)
            return Answer(delay: delay, result: .success(reply(payloads.map { item($0, route, headers) })))
        case .again(let payload, let milliseconds):
            var headers = envelope.headers
            headers["troupe-delay-ms"] = RawJSON(integer: milliseconds)
            return Answer(delay: delay, result: .success(reply([item(payload, envelope.route, headers.text)])))
        case .error(let type): return Answer(delay: delay, result: .success(reply([error(type)])))
        case .oneErrorAmongResults:
            let results = [item("lost", envelope.route, "{}"), error("Partial")]
            return Answer(delay: delay, result: .success(reply(results)))
        case .malformed: return Answer(delay: delay, result: .success(Array("[{".utf8)))
        case .dies: return Answer(delay: delay, result: .failure(.closed("the runtime closed the connection")))
        case .hangs: return Answer(delay: Self.timeout, result: .failure(.timeout(Self.timeout)))
        }
    }

    /// Trouble that is over by the last attempt, so that it changes no result.
    private func passingTrouble(_ envelope: Envelope, call: Int) -> SimulatedHandler.Outcome? {
        if call < policy.crashAttempts && world.strikes(.handlerDied) { return .dies }
        guard envelope.headers.attempt(at: policy.actorName) < policy.retries.attempts else { return nil }
        if world.strikes(.handlerFailed) { return .error(type: "ValueError") }
        if world.strikes(.handlerMalformed) { return .malformed }
        return world.strikes(.handlerHung) ? .hangs : nil
    }

    private func keep(_ envelope: Envelope, call: Int) -> Result<[UInt8], Runtime.Failure> {
        let payload = envelope.payload.string ?? ""
        if policy.actorName == policy.happyEnd && SimulatedHandler.cannotBeKept(payload) {
            return .success(reply([error("StorageError")]))
        }
        if call < policy.endActorAttempts {
            if world.strikes(.handlerFailed) { return .success(reply([error("StorageError")])) }
            if world.strikes(.handlerDied) { return .failure(.closed("the runtime closed the connection")) }
        }
        return .success(reply(["{}"]))
    }

    private func item(_ payload: String, _ route: Route, _ headers: String) -> String {
        let actors = route.actors.map { #""\#($0)""# }.joined(separator: ",")
        return
            #"{"payload":"\#(payload)","route":{"actors":[\#(actors)],"current":\#(route.current)},"headers":\#(headers)}"#
    }

    private func error(_ type: String) -> String {
        #"{"error":"processing_error","details":{"type":"\#(type)","message":"as drawn"}}"#
    }

    private func reply(_ elements: [String]) -> [UInt8] { Array("[\(elements.joined(separator: ","))]".utf8) }
}

extension Headers {
    fileprivate var text: String { json?.description ?? "{}" }
}
