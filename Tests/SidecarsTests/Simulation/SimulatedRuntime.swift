import Envelopes
import Faults

@testable import Sidecars

/// The handler's side of a call: which reply comes, and when.
struct SimulatedRuntime {
    let policy: DeliveryPolicy
    unowned let world: Simulation

    struct Answer {
        var delay: Duration
        /// `nil`: none, ever.
        var result: Result<[UInt8], Runtime.Failure>?
        var killsSidecar = false
    }

    /// - Parameter call: the number of the call for this one delivery, from 1.
    func answer(_ envelope: Envelope, call: Int) -> Answer {
        let delay = world.strikes(.delayed) ? world.chance.milliseconds(100...4000) : world.chance.milliseconds(0...50)
        if world.strikes(.handlerReplaced) { return Answer(delay: delay, result: .failure(.replaced)) }
        guard !policy.isEndActor else { return Answer(delay: delay, result: keep(envelope, call: call)) }
        world.inspectCall(of: envelope)
        guard let handler = SimulatedHandler(rawValue: policy.actorName) else { preconditionFailure("no such handler") }
        if let failure = injected(envelope, call: call) {
            return Answer(delay: delay, result: .failure(.injected(failure)))
        }

        let headers = envelope.headers.json?.description ?? "{}"
        switch passingTrouble(envelope, call: call) ?? handler.outcome(of: envelope.payload.string ?? "") {
        case .results(let payloads):
            let route = Route(actors: envelope.route.actors, current: envelope.route.current + 1)
            let items = payloads.map { item($0, route, headers: handler == .garble ? #"{"mine":1}"# : headers) }
            return Answer(delay: delay, result: .success(reply(items)))
        case .again(let payload, let milliseconds):
            var headers = envelope.headers
            headers["troupe-delay-ms"] = RawJSON(integer: milliseconds)
            let item = item(payload, envelope.route, headers: headers.json?.description ?? "{}")
            return Answer(delay: delay, result: .success(reply([item])))
        case .error(let type): return Answer(delay: delay, result: .success(reply([error(type)])))
        case .oneErrorAmongResults:
            let items = [item("lost", envelope.route, headers: headers), error("Partial")]
            return Answer(delay: delay, result: .success(reply(items)))
        case .malformed: return Answer(delay: delay, result: .success(Array("[{".utf8)))
        case .dies: return Answer(delay: delay, result: .failure(.closed("the runtime closed the connection")))
        case .hangs: return Answer(delay: delay, result: nil)
        case .kills: return Answer(delay: delay, result: nil, killsSidecar: true)
        }
    }

    /// A fault's effect that is over by the last attempt, or the last call.
    private func injected(_ envelope: Envelope, call: Int) -> InjectedFailure? {
        let hasAnotherCall = call < policy.crashAttempts
        let hasAnotherAttempt = envelope.headers.attempt(at: policy.actorName) < policy.retries.attempts
        guard hasAnotherCall || hasAnotherAttempt, world.strikes(.injected) else { return nil }
        let failures: [Faults.Fault.Effect] = [.error(type: "ValueError", message: nil), .timeout(after: .zero), .hang]
        let crashes: [Faults.Fault.Effect] = [.crash(after: .zero)]
        let effects = (hasAnotherCall ? crashes : []) + (hasAnotherAttempt ? failures : [])
        return InjectedFailure(
            Faults.Fault(
                id: "f", actor: policy.actorName, match: [], effect: world.chance.pick(effects), probability: 1,
                intensity: 1, times: nil, seed: 0, owner: nil, injectedAt: 0, until: 0))
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
        // A full disk is waited for.
        if world.strikes(.handlerFailed) { return .success(reply([error("StorageError")])) }
        if policy.actorName == policy.happyEnd && SimulatedHandler.cannotBeKept(payload) {
            return .success(reply([error("Unkeepable")]))
        }
        if call < policy.endActorAttempts {
            if world.strikes(.handlerMalformed) { return .success(Array("[{".utf8)) }
            if world.strikes(.handlerDied) { return .failure(.closed("the runtime closed the connection")) }
        }
        return .success(reply(["{}"]))
    }

    private func item(_ payload: String, _ route: Route, headers: String) -> String {
        let actors = route.actors.map { #""\#($0)""# }.joined(separator: ",")
        let routeText = #"{"actors":[\#(actors)],"current":\#(route.current)}"#
        return #"{"payload":"\#(payload)","route":\#(routeText),"headers":\#(headers)}"#
    }

    private func error(_ type: String) -> String {
        #"{"error":"processing_error","details":{"type":"\#(type)","message":"as drawn"}}"#
    }

    private func reply(_ elements: [String]) -> [UInt8] { Array("[\(elements.joined(separator: ","))]".utf8) }
}
