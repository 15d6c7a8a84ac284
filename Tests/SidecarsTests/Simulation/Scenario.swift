/// What is submitted in a run, and what must become of it: worked out on paper from what handlers do, without the code
/// under test.
struct Scenario {
    struct Submission {
        var id: String
        /// Whose queue it is put into.
        var actor: String
        var body: String
        /// Milliseconds after the begin at which somebody cancels it.
        var cancelledAt: Int?
    }

    /// What may become of an envelope.
    struct Prospect {
        var parentID: String?
        /// `nil`: nobody reports an end.
        var endings: Set<Ending?>
        /// Whether its message comes to the dead letters.
        var dies = false
        /// It has no deadline and nobody cancels it, which could keep it from all this, and from being born.
        var isCertain = true
    }

    private(set) var submissions: [Submission] = []
    /// By id, children included.
    private(set) var prospects: [String: Prospect] = [:]
    /// Messages without an id that somebody will find in the dead letters.
    private(set) var hasGarbage = false

    init(_ chance: Chance) {
        for number in 1...chance.number(1...2) {
            let (id, route) = ("e\(number)", Self.route(chance))
            let payload = String(chance.number(0...999))
            let whatIsWrong = chance.number(0...19)
            switch whatIsWrong {
            case 0: addGarbage(id, to: route[0])
            case 1: addNoEnvelope(id, to: route[0])
            case 2: addStray(id, route, payload, chance)
            default: add(id, route, payload, chance)
            }
        }
    }

    private static func route(_ chance: Chance) -> [String] {
        var route: [String] = []
        for _ in 0..<chance.number(1...4) {
            let actor = chance.pick(SimulatedHandler.harmless).rawValue
            // Two fan-outs in a row are enough to mix up ids.
            if actor != "split" || route.filter({ $0 == actor }).count < 2 { route.append(actor) }
        }
        if chance.happens(0.1) { route.append(chance.happens(0.5) ? "nowhere" : SimulatedHandler.deadly.rawValue) }
        return route
    }

    private static func body(_ id: String, _ route: [String], _ payload: String, more: String = "") -> String {
        let actors = route.map { #""\#($0)""# }.joined(separator: ",")
        return #"{"id":"\#(id)","route":{"actors":[\#(actors)],"current":0}\#(more),"payload":"\#(payload)"}"#
    }

    // MARK: Submissions

    private mutating func add(_ id: String, _ route: [String], _ payload: String, _ chance: Chance) {
        var submission = Submission(id: id, actor: route[0], body: Self.body(id, route, payload))
        var early: Ending?
        if chance.happens(0.1) {
            early = Ending(status: "cancelled", text: "cancelled")
            submission.cancelledAt = chance.number(0...8000)
        } else if chance.happens(0.1) {
            early = Ending(status: "failed", text: "deadline_exceeded")
            let deadline = String(chance.number(102_000...112_000))
            let more = #","deadline":"1970-01-01T00:00:\#(deadline.dropFirst().prefix(2)).\#(deadline.suffix(3))Z""#
            submission.body = Self.body(id, route, payload, more: more)
        }
        submissions.append(submission)
        follow(Step(id: id, route: route, payload: payload, early: early))
    }

    private mutating func addGarbage(_ id: String, to actor: String) {
        submissions.append(Submission(id: id, actor: actor, body: "{no JSON"))
        prospects[id] = Prospect(endings: [nil])
        hasGarbage = true
    }

    private mutating func addNoEnvelope(_ id: String, to actor: String) {
        submissions.append(Submission(id: id, actor: actor, body: #"{"id":"\#(id)","payload":1}"#))
        prospects[id] = Prospect(endings: [Ending(status: "failed", text: "msg_parsing_error")])
    }

    private mutating func addStray(_ id: String, _ route: [String], _ payload: String, _ chance: Chance) {
        let others = SimulatedHandler.allCases.map(\.rawValue).filter { $0 != route[0] }
        submissions.append(Submission(id: id, actor: chance.pick(others), body: Self.body(id, route, payload)))
        prospects[id] = Prospect(endings: [Ending(status: "failed", text: "route_mismatch")])
    }

    // MARK: What becomes of an envelope

    private struct Step {
        var id: String
        var parentID: String?
        var route: [String]
        var current = 0
        var payload: String
        var fanOuts = 0
        /// How it may end before its time.
        var early: Ending?
    }

    private mutating func follow(_ step: Step) {
        guard step.current < step.route.count else { return succeed(step) }
        guard let handler = SimulatedHandler(rawValue: step.route[step.current]) else {
            return end(step, "unroutable")
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
                    next.parentID = step.id
                    next.fanOuts = 0
                }
                follow(next)
            }
        case .again(let payload, _):
            var next = step
            next.payload = payload
            follow(next)
        case .error(let type): end(step, type)
        case .oneErrorAmongResults: end(step, "Partial")
        case .malformed, .dies: end(step, "runtime_error")
        case .hangs: end(step, "timeout")
        case .kills: end(step, nil, dies: true)
        }
    }

    private mutating func succeed(_ step: Step) {
        if SimulatedHandler.cannotBeKept(step.payload) {
            end(step, "happy-end could not close the envelope", dies: true)
        } else {
            end(step, Ending(status: "succeeded", text: step.payload), dies: false)
        }
    }

    private mutating func end(_ step: Step, _ error: String, dies: Bool = false) {
        end(step, Ending(status: "failed", text: error), dies: dies)
    }

    private mutating func end(_ step: Step, _ ending: Ending?, dies: Bool) {
        precondition(prospects[step.id] == nil, "two envelopes are \(step.id)")
        var prospect = Prospect(
            parentID: step.parentID, endings: [ending], dies: dies, isCertain: step.early == nil)
        if let early = step.early { prospect.endings.insert(early) }
        prospects[step.id] = prospect
    }
}
