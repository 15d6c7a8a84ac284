public import Envelopes
public import EventLoops

/// Which faults there are for one actor just now, and what they do to a call. Pure: news and time in, decisions out.
///
/// A fault never changes: it begins, and it ends. So news of it may come twice, late, or in the wrong order. It ends by
/// this machine's own clock, whether anybody tells or not.
public struct FaultMachine: Sendable {
    /// What has changed.
    public enum Change: Sendable, Hashable {
        case began(Fault)
        case ended(Fault, isReset: Bool)
        /// It is worse than we may be, or one too many.
        case refused(id: String, reason: String)
    }

    private struct Active {
        var fault: Fault
        var end: MonotonicTime
        var chance: FaultChance
        var strikes = 0
    }

    private let actor: String
    private let bounds: FaultBounds
    /// In the order of their injection.
    private var active: [Active] = []
    /// Those that were here and are not to begin again: the last of them.
    private var past: [String] = []
    private static let remembered = 2000

    public init(actor: String, bounds: FaultBounds) {
        self.actor = actor
        self.bounds = bounds
    }

    /// When `expire` is to be called.
    public var nextEnd: MonotonicTime? { active.map(\.end).min() }

    public func isActive(_ id: String) -> Bool { active.contains { $0.fault.id == id } }

    // MARK: News

    /// Gateways tell how it stands with some faults.
    /// - Parameter wallClock: microseconds since 1970. It is looked at once for each fault, and only trusted to make its
    ///   time shorter: clocks that differ let no fault last longer than it was meant to.
    public mutating func told(_ states: [FaultState], wallClock: Int64, now: MonotonicTime) -> [Change] {
        var changes: [Change] = []
        for state in states where [actor, Fault.everybody].contains(state.fault.actor) {
            let fault = state.fault
            if state.isReset {
                if let index = active.firstIndex(where: { $0.fault.id == fault.id }) {
                    changes.append(.ended(active.remove(at: index).fault, isReset: true))
                }
                remember(fault.id)
            } else if !isActive(fault.id), !past.contains(fault.id), let change = begin(fault, wallClock, now) {
                changes.append(change)
            }
        }
        return changes
    }

    private mutating func begin(_ fault: Fault, _ wallClock: Int64, _ now: MonotonicTime) -> Change? {
        let left = min(Duration.microseconds(fault.until - wallClock), fault.duration, bounds.duration)
        guard left > .zero else { return nil }
        do throws(InvalidFault) { try fault.check(bounds) } catch {
            remember(fault.id)
            return .refused(id: fault.id, reason: error.message)
        }
        guard active.count < bounds.active else {
            return .refused(id: fault.id, reason: "there are \(active.count) already (TROUPE_FAULTS_MAX_ACTIVE)")
        }
        let new = Active(
            fault: fault, end: now.advanced(by: left), chance: FaultChance(seed: fault.seed, actor: actor))
        let place = active.firstIndex { ($0.fault.injectedAt, $0.fault.id) > (fault.injectedAt, fault.id) }
        active.insert(new, at: place ?? active.endIndex)
        return .began(fault)
    }

    /// Time has passed.
    public mutating func expire(now: MonotonicTime) -> [Change] {
        let over = active.filter { $0.end <= now }
        active.removeAll { $0.end <= now }
        for one in over { remember(one.fault.id) }
        return over.map { .ended($0.fault, isReset: false) }
    }

    private mutating func remember(_ id: String) {
        if past.contains(id) { return }
        past.append(id)
        if past.count > Self.remembered { past.removeFirst(past.count - Self.remembered) }
    }

    // MARK: Calls

    /// The turn of an envelope has come. Each fault that it concerns draws from its own chance, whatever the others do.
    /// - Parameter mayDrop: whether the connection may be lost now.
    public mutating func plan(for headers: Headers, mayDrop: Bool = true, now: MonotonicTime) -> FaultPlan {
        var plan = FaultPlan()
        var delay = Duration.zero
        for index in active.indices where active[index].end > now && active[index].fault.concerns(headers) {
            let fault = active[index].fault
            let happens = active[index].chance.happens(fault.probability)
            let branch = active[index].chance.branch()
            guard happens, active[index].strikes < fault.times ?? .max else { continue }
            switch fault.effect {
            case .latency where delay + fault.delay <= bounds.latency:
                plan.delays.append(fault)
                delay += fault.delay
            case .latency: continue
            case .cpu, .memory: plan.burdens.append(fault)
            case .badData(let changes):
                plan.corruptions.append(.init(fault: fault, changes: changes, chance: branch))
            case .drop where !mayDrop: continue
            case .drop, .hang, .timeout, .error, .crash:
                // One is enough: who was injected first.
                guard plan.interruption == nil else { continue }
                plan.interruption = fault
            }
            active[index].strikes += 1
        }
        if plan.interruption != nil {
            // There will be no result to change.
            for corruption in plan.corruptions {
                guard let index = active.firstIndex(where: { $0.fault.id == corruption.fault.id }) else { continue }
                active[index].strikes -= 1
            }
            plan.corruptions = []
        }
        return plan
    }
}
