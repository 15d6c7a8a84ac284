/// What is submitted in a run, and what must become of it: worked out on paper from what handlers do, without the code
/// under test.
struct Scenario {
    struct Submission {
        var id: String
        /// Whose queue it is put into.
        var actor: String
        var body: String
    }

    private(set) var submissions: [Submission] = []
    /// How each envelope ends, children included.
    private(set) var endings: [String: Ending] = [:]
    private(set) var parents: [String: String] = [:]
    /// Ids of the messages in the dead-letter queues.
    private(set) var deadLetters: Set<String> = []

    init(_ chance: Chance) {
        for number in 1...chance.number(1...3) {
            let id = "e\(number)"
            let payload = "\(chance.number(0...999))"
            let route = Self.route(chance)
            if chance.happens(0.04) {
                addGarbage(id, to: route[0])
            } else if chance.happens(0.04) {
                addNoEnvelope(id, to: route[0])
            } else if chance.happens(0.04) {
                addStray(id, route, payload, chance)
            } else {
                add(id, to: route[0], Self.body(id, route, payload))
                follow(Step(id: id, route: route, payload: payload))
            }
        }
    }

    private static func route(_ chance: Chance) -> [String] {
        var route: [String] = []
        for _ in 0..<chance.number(1...4) {
            let actor = chance.pick(SimulatedHandler.allCases)
            // Two fan-outs in a row are enough to mix up ids.
            if actor != .split || route.filter({ $0 == actor.rawValue }).count < 2 { route.append(actor.rawValue) }
        }
        if !route.isEmpty && chance.happens(0.1) { route.append("nowhere") }
        return route.isEmpty ? ["flaky"] : route
    }

    private static func body(_ id: String, _ route: [String], _ payload: String) -> String {
        let actors = route.map { #""\#($0)""# }.joined(separator: ",")
        return #"{"id":"\#(id)","route":{"actors":[\#(actors)],"current":0},"payload":"\#(payload)"}"#
    }

    private mutating func add(_ id: String, to actor: String, _ body: String) {
        submissions.append(Submission(id: id, actor: actor, body: body))
    }

    // MARK: What goes wrong by itself

    private mutating func addGarbage(_ id: String, to actor: String) {
        add(id, to: actor, "{no JSON")
        deadLetters.insert("")
    }

    private mutating func addNoEnvelope(_ id: String, to actor: String) {
        add(id, to: actor, #"{"id":"\#(id)","payload":1}"#)
        endings[id] = Ending(status: "failed", text: "msg_parsing_error")
    }

    private mutating func addStray(_ id: String, _ route: [String], _ payload: String, _ chance: Chance) {
        let others = SimulatedHandler.allCases.map(\.rawValue).filter { $0 != route[0] }
        add(id, to: chance.pick(others), Self.body(id, route, payload))
        endings[id] = Ending(status: "failed", text: "route_mismatch")
    }

    // MARK: What becomes of an envelope

    private struct Step {
        var id: String
        var route: [String]
        var current = 0
        var payload: String
        var fanOuts = 0
    }

    private mutating func follow(_ step: Step) {
        guard step.current < step.route.count else { return succeed(step) }
        guard let handler = SimulatedHandler(rawValue: step.route[step.current]) else {
            return fail(step, "unroutable")
        }
        switch handler.outcome(of: step.payload) {
        case .results(let payloads) where payloads.isEmpty: succeed(step)
        case .results(let payloads):
            for (index, payload) in payloads.enumerated() {
                var next = step
                next.payload = payload
                next.current += 1
                if payloads.count > 1 && index == 0 { next.fanOuts += 1 }
                if index > 0 {
                    next.id = step.id + (step.fanOuts == 0 ? "-\(index)" : "-\(step.fanOuts).\(index)")
                    next.fanOuts = 0
                    parents[next.id] = step.id
                }
                follow(next)
            }
        case .again(let payload, _):
            var next = step
            next.payload = payload
            follow(next)
        case .error(let type): fail(step, type)
        case .oneErrorAmongResults: fail(step, "Partial")
        case .malformed, .dies: fail(step, "runtime_error")
        case .hangs: fail(step, "timeout")
        }
    }

    private mutating func succeed(_ step: Step) {
        guard SimulatedHandler.cannotBeKept(step.payload) else {
            endings[step.id] = Ending(status: "succeeded", text: step.payload)
            return
        }
        deadLetters.insert(step.id)
        fail(step, "happy-end could not close the envelope")
    }

    private mutating func fail(_ step: Step, _ kind: String) {
        precondition(endings[step.id] == nil, "two envelopes are \(step.id)")
        endings[step.id] = Ending(status: "failed", text: kind)
    }
}
