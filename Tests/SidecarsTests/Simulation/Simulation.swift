import Envelopes
import EventLoops
import Transports

@testable import Sidecars

/// One run: some envelopes through some actors, three sidecars each, over a broker and with handlers that fail as the
/// seed draws it. The machine that decides about deliveries is the real one; all else is played.
final class Simulation {
    let chance: Chance
    let timeline = Timeline()
    private let odds: Odds
    let scenario: Scenario
    private(set) lazy var broker = SimulatedBroker(
        queues: Self.actors, countsDeliveries: chance.happens(0.5), in: self)
    /// Whether a sidecar ends when its runtime hangs, or has it started anew.
    private(set) lazy var exitsOnTimeout = chance.happens(0.5)
    /// Whether the transport publishes and acknowledges as one.
    private(set) lazy var sendsTogether = chance.happens(0.3)
    /// Whether the sidecars export spans.
    private(set) lazy var exportsSpans = chance.happens(0.5)
    /// Ids that the gateway has told everybody.
    private(set) var cancelled: [String] = []
    /// What has last been decided about actors.
    private(set) var pauses: [String: ActorPause] = [:]
    var gateway = SimulatedGateway()
    private var sidecars: [String: SimulatedSidecar] = [:]
    private var strikes: [Fault: Int] = [:]
    private var violations: [String] = []
    private var trace: [String]?

    static let handlers = SimulatedHandler.allCases.map(\.rawValue)
    static let ends = ["happy-end", "error-end"]
    static let actors = handlers + ends
    /// From then on all goes well, so that what is still under way can end.
    private static let endOfFaults = MonotonicTime(nanoseconds: 20_000_000_000)

    struct Outcome: Sendable {
        /// What should not be; empty where all is well.
        var violations: [String]
        /// How often each fault struck.
        var strikes: [Fault: Int]
        /// How often envelopes have ended in each way.
        var endings: [String: Int]
        var deliveries: Int
        /// Every step; empty unless asked for.
        var trace: [String]
    }

    /// - Parameter isCalm: nothing goes wrong.
    static func run(seed: UInt64, isCalm: Bool = false, isTraced: Bool = false) -> Outcome {
        Simulation(seed: seed, isCalm: isCalm, isTraced: isTraced).run()
    }

    private init(seed: UInt64, isCalm: Bool, isTraced: Bool) {
        chance = Chance(seed: seed)
        odds = isCalm ? .calm : Odds(chance)
        scenario = Scenario(chance)
        trace = isTraced ? [] : nil
    }

    private func run() -> Outcome {
        for actor in Self.actors {
            for replica in 1...3 { start(policy(actor), replica: replica) }
        }
        for submission in scenario.submissions {
            submit(submission)
            if let time = submission.cancelledAt { timeline.after(.milliseconds(time)) { self.cancel(submission.id) } }
        }
        planFaults()
        if timeline.run(atMost: 100_000) { inspect() } else { violation("it does not come to rest") }
        return Outcome(
            violations: violations, strikes: strikes, endings: endings, deliveries: broker.deliveries,
            trace: trace ?? [])
    }

    // MARK: The world

    private func policy(_ actor: String) -> DeliveryPolicy {
        var policy = DeliveryPolicy(
            actorName: actor, isEndActor: Self.ends.contains(actor), deliveryLimit: Self.deliveryLimit(of: actor),
            retries: SimulatedHandler(rawValue: actor)?.retries ?? RetryPolicy())
        policy.sendsTogether = sendsTogether
        return policy
    }

    static func deliveryLimit(of actor: String) -> Int { SimulatedHandler(rawValue: actor)?.deliveryLimit ?? 1000 }

    func start(_ policy: DeliveryPolicy, replica: Int) {
        let sidecar = SimulatedSidecar(policy, replica: replica, in: self)
        sidecars[sidecar.name] = sidecar
    }

    /// As a gateway's outbox does, which sends again what it is not sure of.
    private func submit(_ submission: Scenario.Submission) {
        gateway.submit(submission.id)
        let body = exportsSpans ? traced(submission) : submission.body
        let message = Message(to: .actor(submission.actor), id: submission.id, body: Array(body.utf8))
        for _ in 0..<(strikes(.confirmLost) ? 2 : 1) {
            timeline.after(chance.milliseconds(0...2000)) { self.publish(message) }
        }
    }

    private func publish(_ message: Message) {
        if case .failure = broker.accept(message) {
            timeline.after(.milliseconds(500)) { self.publish(message) }
        }
    }

    func report(_ report: StatusReport) {
        for _ in 0..<(strikes(.reportRepeated) ? 2 : 1) {
            timeline.after(latency()) { self.gateway.apply(report) }
        }
    }

    /// Somebody cancels an envelope: the gateway tells all sidecars.
    private func cancel(_ id: String) {
        note("gateway: cancel \(id)")
        cancelled.append(id)
        for sidecar in sidecarsInOrder { sidecar.after(latency()) { sidecar.cancel([id]) } }
    }

    /// Somebody pauses or resumes an actor: the gateway tells all sidecars, again and again, as some don't hear it.
    private func decide(_ actor: String, isPaused: Bool) {
        note("gateway: \(actor) is \(isPaused ? "paused" : "resumed")")
        let news = ActorPause(actor: actor, isPaused: isPaused, decidedAt: Int64(timeline.now.nanoseconds))
        pauses[actor] = news
        for time in 0...2 {
            timeline.after(.seconds(2 * time)) {
                for sidecar in self.sidecarsInOrder where sidecar.policy.actorName == actor {
                    if time < 2 && self.chance.happens(0.3) { continue }
                    sidecar.after(self.latency()) { sidecar.obey(news) }
                }
            }
        }
    }

    // MARK: Traces

    /// As the gateway sends it: each envelope in a trace of its own.
    private func traced(_ submission: Scenario.Submission) -> String {
        let context = "00-\(Self.trace(of: submission.id))-00000000000000ff-01"
        let header = #","headers":{"traceparent":"\#(context)"},"payload":"#
        return submission.body.replacing(#","payload":"#, with: header)
    }

    private static func trace(of id: String) -> String {
        let number = id.drop { $0 == "e" }.prefix { $0 != "-" }
        return String(repeating: "0", count: 32 - number.count) + number
    }

    /// For the sidecars.
    var span: (@Sendable (TraceParent?) -> TraceParent?)? {
        guard exportsSpans else { return nil }
        return { [chance] parent in
            let id = UInt64(chance.number(1...(1 << 52))).hexadecimal
            return TraceParent("00-\(parent?.traceID ?? Self.trace(of: "e99"))-\(id)-01")
        }
    }

    /// Whatever happens to it, an envelope and its children stay in their trace, each message below a span of its own.
    func inspectTrace(of message: Message) {
        guard exportsSpans, message.priorDeliveries == 0,
            scenario.submissions.contains(where: { $0.body.contains(#","payload":"#) && message.id.hasPrefix($0.id) }),
            let envelope = try? Envelope(parsing: message.body)
        else { return }
        let context = envelope.headers.traceparent
        if context?.traceID != Self.trace(of: message.id) {
            violation("\(message.id) has left its trace: \(context?.description ?? "no traceparent")")
        }
    }

    // MARK: Faults

    /// Whether this fault happens now.
    func strikes(_ fault: Fault) -> Bool {
        guard timeline.now < Self.endOfFaults, chance.happens(odds[fault]) else { return false }
        strikes[fault, default: 0] += 1
        return true
    }

    func latency() -> Duration {
        strikes(.delayed) ? chance.milliseconds(100...3000) : chance.milliseconds(0...20)
    }

    private func planFaults() {
        if strikes(.brokerRestart) { someTime { for sidecar in self.sidecarsInOrder { sidecar.loseConsumer() } } }
        for actor in Self.actors where strikes(.queueMissing) {
            // Shorter than the patience of a sidecar, which would call it unroutable after that.
            someTime { self.broker.loseQueue(actor, for: self.chance.milliseconds(100...1400)) }
        }
        for actor in Self.actors where strikes(.pause) {
            someTime {
                self.decide(actor, isPaused: true)
                self.timeline.after(self.chance.milliseconds(0...5000)) { self.decide(actor, isPaused: false) }
            }
        }
    }

    private func someTime(_ action: @escaping () -> Void) { timeline.after(chance.milliseconds(0...10_000), action) }

    private var sidecarsInOrder: [SimulatedSidecar] { sidecars.keys.sorted().compactMap { sidecars[$0] } }

    // MARK: For the test

    func violation(_ sentence: String) {
        note("VIOLATION: \(sentence)")
        violations.append(sentence)
    }

    func note(_ line: @autoclosure () -> String) {
        trace?.append("\(timeline.now.nanoseconds / 1_000_000) ms: \(line())")
    }
}
