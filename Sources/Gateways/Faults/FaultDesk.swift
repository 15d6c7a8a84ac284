internal import Envelopes
internal import EventLoops
internal import Faults
internal import Logging

/// Injects faults, and ends them: for REST and MCP alike.
struct FaultDesk: Sendable {
    let store: any FaultStore
    let bounds: FaultBounds
    let announcer: FaultAnnouncer
    let logger: Logger

    private static let listLimit = 1000

    /// - Returns: the fault, and whether it is a new one.
    func inject(_ request: RawJSON, by caller: String?) async throws -> (record: FaultRecord, isNew: Bool) {
        let now = Timestamp.microsecondsNow()
        let fault: Fault
        do throws(InvalidFault) {
            fault = try Fault(
                request: request, id: "f-" + UInt64.random(in: 0 ... .max).hexadecimal.prefix(12),
                seed: Int.random(in: 0..<1 << 31), now: now, bounds: bounds)
        } catch { throw Problem(.invalidFault, error.message, at: error.pointer) }
        if fault.actor != Fault.everybody, let problem = ActorName.problem(with: fault.actor) {
            throw Problem(.invalidFault, "'actor' must be the name of an actor, or *: \(problem)", at: "/actor")
        }
        if try await store.inject(fault, by: caller, limit: bounds.active, now: now) {
            logger.notice(
                "fault injected",
                metadata: ["fault": "\(fault.id)", "kind": "\(fault.kind.rawValue)", "actor": "\(fault.actor)"])
            announcer.wake()
            return (FaultRecord(fault: fault, injectedBy: caller), true)
        }
        guard let known = try await store.faults(FaultFilter(id: fault.id), limit: 1, now: now).first else {
            throw Problem(
                .tooManyFaults, "there are \(bounds.active) active faults already (TROUPE_FAULTS_MAX_ACTIVE)")
        }
        guard known.fault.asks(forTheSameAs: fault) else {
            throw Problem(.duplicateFault, "there is another fault '\(fault.id)' already", at: "/id")
        }
        return (known, false)
    }

    func list(_ filter: FaultFilter) async throws -> RawJSON {
        let now = Timestamp.microsecondsNow()
        return Self.list(try await store.faults(filter, limit: Self.listLimit, now: now), now: now)
    }

    /// Ends all that are meant.
    /// - Returns: those that have ended by it.
    func reset(_ filter: FaultFilter, by caller: String?) async throws -> RawJSON {
        let now = Timestamp.microsecondsNow()
        let ended = try await store.resetFaults(filter, by: caller, now: now)
        if !ended.isEmpty {
            logger.notice("faults reset", metadata: ["faults": "\(ended.map(\.fault.id).joined(separator: " "))"])
            announcer.wake()
        }
        return Self.list(ended, now: now)
    }

    /// Ends one, if it has not ended already.
    func reset(_ id: String, by caller: String?) async throws -> RawJSON {
        let ended = try await reset(FaultFilter(id: id), by: caller)
        if ended["faults"]?.elements.isEmpty == false { return ended }
        let known = try await list(FaultFilter(id: id))
        guard known["faults"]?.elements.isEmpty == false else {
            throw Problem(.unknownFault, "there is no fault '\(id.prefix(100))'")
        }
        return known
    }

    private static func list(_ records: [FaultRecord], now: Int64) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("faults")
            writer.beginArray()
            for record in records { record.write(to: &writer, now: now) }
            writer.endArray()
            writer.endObject()
        }
    }
}

extension Fault {
    /// Whether it differs in nothing but in what the gateway has added.
    fileprivate func asks(forTheSameAs other: Fault) -> Bool {
        var other = other
        (other.seed, other.injectedAt, other.until) = (seed, injectedAt, until)
        return self == other
    }
}
